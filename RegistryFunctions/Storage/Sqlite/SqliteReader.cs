using Microsoft.Data.Sqlite;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>A connection that fetches. Not thread-safe.</summary>
internal sealed class SqliteReader(SqliteConnection connection) : IDisposable
{
    // The index gives a device's few bundles; the last accepted is the one with the highest sequence.
    private readonly SqliteStatement _newest = new(
        connection,
        """
        SELECT signature, payload, digest, checksum FROM bundle
        WHERE seq = (SELECT max(seq) FROM bundle WHERE device = ?)
        """);

    /// <summary>The bundle of the device with the highest sequence, or null.</summary>
    /// <exception cref="StoreException">What the file holds is not what was stored.</exception>
    public Bundle? FindNewest(in DeviceId device)
    {
        _newest.Bind(1, device.Span);
        try
        {
            return _newest.Step() ? ReadBundle(device) : null;
        }
        finally
        {
            _newest.Reset();
        }
    }

    /// <summary>How many bundles were received before, and whether they are more than half of all.</summary>
    public (long Count, bool IsMost) CountReceivedBefore(DateTimeOffset cutoff)
    {
        long before = cutoff.ToUnixTimeMilliseconds();
        long count = Count($"SELECT count(*) FROM bundle WHERE received < {before}");
        // No further than it takes to know.
        long others = Count($"SELECT count(*) FROM (SELECT 1 FROM bundle WHERE received >= {before} LIMIT {count})");
        return (count, count > others);
    }

    /// <summary>A row is not what was stored.</summary>
    public static StoreException Damaged() =>
        new(StoreFault.Unavailable, "a stored bundle is damaged: check the disk, and restore the database from a backup");

    /// <summary>Closes the connection.</summary>
    public void Dispose()
    {
        _newest.Dispose();
        connection.Dispose();
    }

    private long Count(FormattableString sql) => connection.Scalar<long>(FormattableString.Invariant(sql));

    // SQLite does not checksum its pages, so the row does.
    private Bundle ReadBundle(in DeviceId device)
    {
        ReadOnlySpan<byte> signatureBytes = _newest.Blob(0);
        ReadOnlySpan<byte> payload = _newest.Blob(1);
        long digest = _newest.Int64(2);
        if (signatureBytes.Length != Signature.Size || Digest.OfPayload(payload) != digest)
        {
            throw Damaged();
        }

        var signature = new Signature(signatureBytes);
        return Digest.OfRow(device, signature, digest) == _newest.Int64(3)
            ? new Bundle(payload.ToArray(), signature)
            : throw Damaged();
    }
}
