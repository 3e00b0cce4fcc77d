using System.IO.Hashing;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage;

/// <summary>
/// 64-bit XXH3 digests. They tell the few payloads of a device apart and tell damage on the disk; neither needs a
/// cryptographic hash, as only the device itself can sign two payloads that collide, and it would refuse itself only.
/// </summary>
internal static class Digest
{
    /// <summary>The digest of a payload: by it a repeat is known.</summary>
    public static long OfPayload(ReadOnlySpan<byte> payload) => (long)XxHash3.HashToUInt64(payload);

    /// <summary>The digest of a row's device, signature and payload, the last by <paramref name="payloadDigest"/>.</summary>
    public static long OfRow(in DeviceId device, in Signature signature, long payloadDigest)
    {
        Span<byte> bytes = stackalloc byte[DeviceId.Size + Signature.Size];
        device.Span.CopyTo(bytes);
        signature.Span.CopyTo(bytes[DeviceId.Size..]);
        return (long)XxHash3.HashToUInt64(bytes, seed: payloadDigest);
    }
}
