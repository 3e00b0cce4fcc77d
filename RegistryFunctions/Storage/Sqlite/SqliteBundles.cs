using Microsoft.Data.Sqlite;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// All statements over one connection, each prepared at its first use and kept. Not thread-safe: a connection has one
/// user at a time. Statements that write belong inside <see cref="Begin"/> and <see cref="Commit"/>.
/// </summary>
internal sealed class SqliteBundles(SqliteConnection connection) : IDisposable
{
    private readonly List<SqliteStatement> _prepared = [];
    private SqliteStatement? _begin;
    private SqliteStatement? _commit;
    private SqliteStatement? _insert;
    private SqliteStatement? _oldestToKeep;
    private SqliteStatement? _deleteOlder;
    private SqliteStatement? _newest;
    private SqliteStatement? _deleteReceivedBefore;
    private SqliteStatement? _nextDevice;
    private SqliteStatement? _heldPerDevice;
    private SqliteStatement? _setHeldPerDevice;

    /// <summary>Starts a transaction that holds the write lock from the start.</summary>
    public void Begin() => Prepared(ref _begin, "BEGIN IMMEDIATE").Execute();

    /// <summary>Ends the transaction; returns once it is durable.</summary>
    public void Commit() => Prepared(ref _commit, "COMMIT").Execute();

    /// <summary>Undoes the transaction, if SQLite has not done so itself on an error.</summary>
    public void Rollback()
    {
        if (SQLitePCL.raw.sqlite3_get_autocommit(connection.Handle) == 0)
        {
            using var rollback = new SqliteStatement(connection, "ROLLBACK");
            rollback.Execute();
        }
    }

    /// <summary>Adds a bundle as its device's newest and keeps the newest <paramref name="keep"/> of the device.</summary>
    public void Add(VerifiedBundle verified, DateTimeOffset received, int keep)
    {
        Prepared(ref _insert, "INSERT INTO bundle (device, received, signature, payload) VALUES (?, ?, ?, ?)")
            .Bind(1, verified.Device.Span)
            .Bind(2, received.ToUnixTimeMilliseconds())
            .Bind(3, verified.Bundle.Signature.Span)
            .Bind(4, verified.Bundle.Payload.Span)
            .Execute();
        Trim(verified.Device.Span, keep);
    }

    /// <summary>The bundle of the device with the highest sequence, or null.</summary>
    public Bundle? FindNewest(in DeviceId device)
    {
        SqliteStatement newest = Prepared(
            ref _newest, "SELECT signature, payload FROM bundle WHERE device = ? ORDER BY seq DESC LIMIT 1");
        newest.Bind(1, device.Span);
        try
        {
            return newest.Step() ? new Bundle(newest.Blob(1).ToArray(), new Signature(newest.Blob(0))) : null;
        }
        finally
        {
            newest.Reset();
        }
    }

    /// <summary>
    /// Drops the oldest bundles received before <paramref name="cutoff"/>, at most <paramref name="limit"/>, and with each
    /// what its device had published earlier: a clock set back must not bring a superseded bundle back.
    /// </summary>
    public int DeleteReceivedBefore(DateTimeOffset cutoff, int limit)
    {
        Prepared(
                ref _deleteReceivedBefore,
                """
                DELETE FROM bundle WHERE seq IN
                    (SELECT earlier.seq
                    FROM (SELECT device, seq FROM bundle WHERE received < ? ORDER BY received LIMIT ?) AS due
                    JOIN bundle AS earlier ON earlier.device = due.device AND earlier.seq <= due.seq)
                """)
            .Bind(1, cutoff.ToUnixTimeMilliseconds())
            .Bind(2, limit)
            .Execute();
        return Changes();
    }

    /// <summary>Drops all but the newest <paramref name="keep"/> bundles of the device; returns how many.</summary>
    public int Trim(ReadOnlySpan<byte> device, int keep)
    {
        long? newestToDrop = FirstInt64(
            Prepared(ref _oldestToKeep, "SELECT seq FROM bundle WHERE device = ? ORDER BY seq DESC LIMIT 1 OFFSET ?")
                .Bind(1, device)
                .Bind(2, keep));
        if (newestToDrop is not { } seq)
        {
            return 0;
        }

        Prepared(ref _deleteOlder, "DELETE FROM bundle WHERE device = ? AND seq <= ?")
            .Bind(1, device)
            .Bind(2, seq)
            .Execute();
        return Changes();
    }

    /// <summary>The device that follows <paramref name="device"/> in byte order, or null.</summary>
    public byte[]? NextDevice(byte[] device)
    {
        SqliteStatement next = Prepared(
            ref _nextDevice, "SELECT device FROM bundle WHERE device > ? ORDER BY device LIMIT 1");
        next.Bind(1, device);
        try
        {
            return next.Step() ? next.Blob(0).ToArray() : null;
        }
        finally
        {
            next.Reset();
        }
    }

    /// <summary>The most bundles any device can hold in this file.</summary>
    public long HeldPerDevice() => FirstInt64(Prepared(ref _heldPerDevice, "SELECT at_most FROM held_per_device")) ?? 0;

    /// <summary>Records that no device holds more than <paramref name="limit"/> bundles.</summary>
    public void SetHeldPerDevice(int limit) =>
        Prepared(ref _setHeldPerDevice, "INSERT OR REPLACE INTO held_per_device (one, at_most) VALUES (1, ?)")
            .Bind(1, limit)
            .Execute();

    /// <summary>Closes the connection with its statements.</summary>
    public void Dispose()
    {
        foreach (SqliteStatement statement in _prepared)
        {
            statement.Dispose();
        }

        connection.Dispose();
    }

    private static long? FirstInt64(SqliteStatement query)
    {
        try
        {
            return query.Step() ? query.Int64(0) : null;
        }
        finally
        {
            query.Reset();
        }
    }

    private int Changes() => SQLitePCL.raw.sqlite3_changes(connection.Handle);

    private SqliteStatement Prepared(ref SqliteStatement? statement, string sql)
    {
        if (statement is null)
        {
            statement = new SqliteStatement(connection, sql);
            _prepared.Add(statement);
        }

        return statement;
    }
}
