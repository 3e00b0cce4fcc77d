using Microsoft.Data.Sqlite;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>A connection that fetches. Not thread-safe.</summary>
internal sealed class SqliteReader(SqliteConnection connection) : IDisposable
{
    /// <summary>How many are kept open. A reader is used without waiting, so more than there are cores are seldom in use.</summary>
    public static readonly int MostIdle = Environment.ProcessorCount + 1;

    private readonly SqliteStatement _newest = new(
        connection,
        """
        SELECT signature, payload, digest, checksum FROM accepted
        WHERE head = ? AND device = ? ORDER BY seq DESC LIMIT 1
        """);

    /// <summary>The bundle that the device published last, or null where there is none or it was dropped.</summary>
    /// <exception cref="StoreException">What the file holds is not what was stored.</exception>
    public Bundle? FindNewest(in DeviceId device)
    {
        _newest.Bind(1, DeviceHead.Of(device.Span)).Bind(2, device.Span);
        try
        {
            return _newest.Step() && !_newest.IsNull(1) ? ReadBundle(device) : null;
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

    private Bundle ReadBundle(in DeviceId device) =>
        StoredBundle.TryRead(
            device, _newest.Blob(0), _newest.Blob(1), digest: _newest.Int64(2), checksum: _newest.Int64(3), out Bundle? bundle)
            ? bundle
            : throw Damaged();
}
