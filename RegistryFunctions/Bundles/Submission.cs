namespace RegistryFunctions.Bundles;

/// <summary>What a client posted: a bundle and the device it says it is from. Well-formed, not yet verified.</summary>
public sealed class Submission(DeviceId device, Bundle bundle)
{
    private readonly DeviceId _device = device;

    /// <summary>The device that is said to have signed.</summary>
    public ref readonly DeviceId Device => ref _device;

    /// <summary>The bundle as posted.</summary>
    public Bundle Bundle { get; } = bundle;
}
