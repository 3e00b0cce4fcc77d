using Microsoft.Data.Sqlite;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>A connection that fetches. Not thread-safe.</summary>
internal sealed class SqliteReader : IDisposable
{
    private const string Columns = "seq, signature, payload, digest, checksum";

    /// <summary>How many are kept open. A reader is used without waiting, so more than there are cores are seldom in use.</summary>
    public static readonly int MostIdle = Environment.ProcessorCount + 1;

    private readonly SqliteConnection _connection;
    private readonly SqliteStatement _row;
    private readonly SqliteStatement _newest;
    private readonly KnownRows _known;
    private readonly WalIndex _index;

    /// <summary>Takes over a connection. What it finds, it adds to <paramref name="known"/>.</summary>
    public SqliteReader(SqliteConnection connection, KnownRows known)
    {
        _connection = connection;
        _row = new SqliteStatement(connection, $"SELECT {Columns} FROM accepted WHERE seq = ?");
        _newest = new SqliteStatement(
            connection, $"SELECT {Columns} FROM accepted WHERE head = ? AND device = ? ORDER BY seq DESC LIMIT 1");
        _known = known;
        _index = new WalIndex(connection);
    }

    /// <summary>The bundle that the device published last, or null where there is none or it was dropped.</summary>
    /// <exception cref="StoreException">What the file holds is not what was stored.</exception>
    public Bundle? FindNewest(in DeviceId device)
    {
        if (_known.At(_index) is not { } rows)
        {
            return FindInTree(device, out _);
        }

        int epoch = rows.Bundles.Epoch;
        long row = rows.Find(device);
        if (rows.Bundles.Find(device, row) is { } kept)
        {
            return kept;
        }

        Bundle? bundle = (row == 0 ? null : FindInRow(row, device)) ?? FindInTree(device, out row);
        if (bundle is not null)
        {
            rows.Note(device, row);
            rows.Bundles.Add(device, row, bundle, epoch);
        }

        return bundle;
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
        _row.Dispose();
        _newest.Dispose();
        _connection.Dispose();
    }

    private long Count(FormattableString sql) => _connection.Scalar<long>(FormattableString.Invariant(sql));

    // Null where the row is not the device's, or its bundle was dropped, or it is damaged: the tree tells which.
    private Bundle? FindInRow(long row, in DeviceId device)
    {
        _row.Bind(1, row);
        try
        {
            return _row.Step() ? ReadBundle(_row, device) : null;
        }
        finally
        {
            _row.Reset();
        }
    }

    private Bundle? FindInTree(in DeviceId device, out long row)
    {
        row = 0;
        _newest.Bind(1, DeviceHead.Of(device.Span)).Bind(2, device.Span);
        try
        {
            if (!_newest.Step() || _newest.IsNull(2))
            {
                return null;
            }

            row = _newest.Int64(0);
            return ReadBundle(_newest, device) ?? throw Damaged();
        }
        finally
        {
            _newest.Reset();
        }
    }

    private static Bundle? ReadBundle(SqliteStatement row, in DeviceId device)
    {
        StoredBundle.TryRead(
            device, row.Blob(1), row.Blob(2), digest: row.Int64(3), checksum: row.Int64(4), out Bundle? bundle);
        return bundle;
    }
}
