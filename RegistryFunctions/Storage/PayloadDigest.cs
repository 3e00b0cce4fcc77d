using System.Buffers.Binary;
using NSec.Cryptography;

namespace RegistryFunctions.Storage;

/// <summary>
/// The first 64 bits of a payload's BLAKE2b-256 (RFC 7693): how payloads of one device are told apart. A stranger can't
/// use a collision, as only the device signs payloads; one by chance is as good as impossible among the few of a device.
/// </summary>
internal static class PayloadDigest
{
    public static long Of(ReadOnlySpan<byte> payload)
    {
        Span<byte> digest = stackalloc byte[32];
        HashAlgorithm.Blake2b_256.Hash(payload, digest);
        return BinaryPrimitives.ReadInt64LittleEndian(digest);
    }
}
