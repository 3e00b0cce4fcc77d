using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>A session that fetches. Not thread-safe.</summary>
internal sealed class SqliteReader(SqliteSession session) : IDisposable
{
    private readonly SqliteStatement _newest = session.Prepare(
        """
        SELECT signature, payload, digest, checksum FROM accepted
        WHERE head = ? AND device = ? ORDER BY seq DESC LIMIT 1
        """);

    /// <summary>The bundle that the device published last, or null where there is none or it was dropped.</summary>
    /// <exception cref="StoreException">What the file holds is not what was stored.</exception>
    public Bundle? FindNewest(in DeviceId device)
    {
        foreach (SqliteStatement row in _newest.Bind(1, BundleTable.HeadOf(device.Span)).Bind(2, device.Span).Rows())
        {
            if (!row.IsNull(1))
            {
                return StoredRow.TryRead(device, row.Blob(0), row.Blob(1), row.Int64(2), row.Int64(3), out Bundle? bundle)
                    ? bundle
                    : throw StoredRow.Damaged();
            }
        }

        return null;
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

    /// <inheritdoc/>
    public void Dispose() => session.Dispose();

    private long Count(FormattableString sql) => session.Scalar<long>(FormattableString.Invariant(sql));
}
