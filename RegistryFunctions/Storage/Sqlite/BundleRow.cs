using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>How a bundle lies in its row.</summary>
internal static class BundleRow
{
    /// <summary>
    /// The first 8 bytes of a device id as one number; of no bytes at all the one that comes before every other. The tree of all
    /// devices is ordered by it first: SQLite compares numbers several times faster than blobs, and keys are uniformly
    /// distributed.
    /// </summary>
    public static long HeadOf(ReadOnlySpan<byte> device) =>
        device.IsEmpty ? long.MinValue : BinaryPrimitives.ReadInt64BigEndian(device);

    /// <summary>
    /// Takes the bundle out of the columns of its row; false where they are not what was stored. SQLite does not checksum its
    /// pages, so the row does.
    /// </summary>
    public static bool TryRead(
        in DeviceId device,
        ReadOnlySpan<byte> signatureBytes,
        ReadOnlySpan<byte> payload,
        long digest,
        long checksum,
        [NotNullWhen(true)] out Bundle? bundle)
    {
        bundle = null;
        if (signatureBytes.Length != Signature.Size || Digest.OfPayload(payload) != digest)
        {
            return false;
        }

        var signature = new Signature(signatureBytes);
        if (Digest.OfRow(device, signature, digest) != checksum)
        {
            return false;
        }

        bundle = new Bundle(payload.ToArray(), signature);
        return true;
    }
}
