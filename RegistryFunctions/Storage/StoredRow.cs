using System.Diagnostics.CodeAnalysis;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage;

/// <summary>How a bundle is taken out of its row, in any store.</summary>
internal static class StoredRow
{
    /// <summary>A row is not what was stored.</summary>
    public static StoreException Damaged() =>
        new(StoreFault.Damaged, "a stored bundle is damaged: check the disk, and restore the database from a backup");

    /// <summary>
    /// Takes the bundle out of the columns of its row; false where they are not what was stored. A database does not always
    /// checksum its pages, so the row does.
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
