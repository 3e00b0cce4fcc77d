namespace RegistryFunctions.Bundles;

/// <summary>A payload and the device's signature over exactly those bytes. It claims nothing by itself.</summary>
public sealed class Bundle(ReadOnlyMemory<byte> payload, Signature signature)
{
    private readonly Signature _signature = signature;

    /// <summary>Opaque bytes, possibly none. The owner of the memory must not change it afterwards.</summary>
    public ReadOnlyMemory<byte> Payload { get; } = payload;

    /// <summary>The 64 bytes of the signature over <see cref="Payload"/>.</summary>
    public ref readonly Signature Signature => ref _signature;
}
