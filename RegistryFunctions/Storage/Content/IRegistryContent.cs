using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Content;

/// <summary>
/// All that a registry keeps, device by device, for a check or a copy. Servers may use it meanwhile. Not thread-safe. Throws
/// <see cref="StoreException"/> where it can't be read now.
/// </summary>
internal interface IRegistryContent : IAsyncDisposable
{
    /// <summary>
    /// The next devices, in an order of the store's own; none after the last. A device that is new meanwhile may be missed.
    /// </summary>
    /// <param name="last">The device that was seen last; null for the first ones.</param>
    /// <param name="cancellationToken">Ends it.</param>
    ValueTask<IReadOnlyList<DeviceId>> DevicesAfterAsync(DeviceId? last, CancellationToken cancellationToken);

    /// <summary>What is kept of these devices, in their order. What it returns of a device was so at one moment.</summary>
    ValueTask<IReadOnlyList<DeviceContent>> ReadAsync(IReadOnlyList<DeviceId> devices, CancellationToken cancellationToken);

    /// <summary>Which share of all devices comes before this one, from 0 to 1: keys are uniformly distributed.</summary>
    double ShareBefore(DeviceId device);
}

/// <summary>A registry that is made by a copy. No server opens it until the copy is complete.</summary>
internal interface ICopyTarget : IRegistryContent
{
    /// <summary>Makes all that is kept of each device what is given; nothing where nothing is.</summary>
    ValueTask ReplaceAsync(IReadOnlyList<DeviceContent> devices, CancellationToken cancellationToken);

    /// <summary>Lets servers open it. The first that does ends it being a copy.</summary>
    /// <param name="held">No device holds more bundles than this.</param>
    ValueTask CompleteAsync(int held);
}
