using Microsoft.Data.Sqlite;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// All statements over one connection, each prepared at its first use and kept. Not thread-safe: a connection has one user at a time.
/// Statements that write belong inside <see cref="Begin"/> and <see cref="Commit"/>.
/// </summary>
internal sealed class SqliteBundles(SqliteConnection connection) : IDisposable
{
    private readonly SqliteCommand _begin = Statement(connection, "BEGIN IMMEDIATE");
    private readonly SqliteCommand _commit = Statement(connection, "COMMIT");
    private readonly SqliteCommand _rollback = Statement(connection, "ROLLBACK");
    private readonly SqliteCommand _insert = Statement(
        connection,
        "INSERT INTO bundle (device, received, signature, payload) VALUES ($device, $received, $signature, $payload)",
        "$device", "$received", "$signature", "$payload");
    private readonly SqliteCommand _trim = Statement(
        connection,
        """
        DELETE FROM bundle WHERE device = $device AND seq <=
            (SELECT seq FROM bundle WHERE device = $device ORDER BY seq DESC LIMIT 1 OFFSET $keep)
        """,
        "$device", "$keep");
    private readonly SqliteCommand _newest = Statement(
        connection,
        "SELECT signature, payload FROM bundle WHERE device = $device ORDER BY seq DESC LIMIT 1",
        "$device");
    private readonly SqliteCommand _deleteReceivedBefore = Statement(
        connection,
        """
        DELETE FROM bundle WHERE seq IN
            (SELECT seq FROM bundle WHERE received < $cutoff ORDER BY received LIMIT $limit)
        """,
        "$cutoff", "$limit");
    private readonly SqliteCommand _nextDevice = Statement(
        connection, "SELECT min(device) FROM bundle WHERE device > $device", "$device");
    private readonly SqliteCommand _heldPerDevice = Statement(connection, "SELECT at_most FROM held_per_device");
    private readonly SqliteCommand _setHeldPerDevice = Statement(
        connection, "INSERT OR REPLACE INTO held_per_device (one, at_most) VALUES (1, $limit)", "$limit");

    /// <summary>Starts a transaction that holds the write lock from the start.</summary>
    public void Begin() => _begin.ExecuteNonQuery();

    /// <summary>Ends the transaction; returns once it is durable.</summary>
    public void Commit() => _commit.ExecuteNonQuery();

    /// <summary>Undoes the transaction, if SQLite has not done so itself on an error.</summary>
    public void Rollback()
    {
        if (SQLitePCL.raw.sqlite3_get_autocommit(connection.Handle) == 0)
        {
            _rollback.ExecuteNonQuery();
        }
    }

    /// <summary>Adds a bundle as its device's newest and keeps the newest <paramref name="keep"/> of the device.</summary>
    public void Add(VerifiedBundle verified, DateTimeOffset received, int keep)
    {
        byte[] device = verified.Device.Span.ToArray();
        _insert.Parameters[0].Value = device;
        _insert.Parameters[1].Value = received.ToUnixTimeMilliseconds();
        _insert.Parameters[2].Value = verified.Bundle.Signature.Span.ToArray();
        _insert.Parameters[3].Value = verified.Bundle.Payload.ToArray();
        _insert.ExecuteNonQuery();
        Trim(device, keep);
    }

    /// <summary>The bundle of the device with the highest sequence, or null.</summary>
    public Bundle? FindNewest(in DeviceId device)
    {
        _newest.Parameters[0].Value = device.Span.ToArray();
        using SqliteDataReader reader = _newest.ExecuteReader();
        return reader.Read()
            ? new Bundle(reader.GetFieldValue<byte[]>(1), new Signature(reader.GetFieldValue<byte[]>(0)))
            : null;
    }

    /// <summary>Drops the oldest bundles received before <paramref name="cutoff"/>, at most <paramref name="limit"/>.</summary>
    public int DeleteReceivedBefore(DateTimeOffset cutoff, int limit)
    {
        _deleteReceivedBefore.Parameters[0].Value = cutoff.ToUnixTimeMilliseconds();
        _deleteReceivedBefore.Parameters[1].Value = limit;
        return _deleteReceivedBefore.ExecuteNonQuery();
    }

    /// <summary>Drops all but the newest <paramref name="keep"/> bundles of the device; returns how many.</summary>
    public int Trim(byte[] device, int keep)
    {
        _trim.Parameters[0].Value = device;
        _trim.Parameters[1].Value = keep;
        return _trim.ExecuteNonQuery();
    }

    /// <summary>The device that follows <paramref name="device"/> in byte order, or null.</summary>
    public byte[]? NextDevice(byte[] device)
    {
        _nextDevice.Parameters[0].Value = device;
        return _nextDevice.ExecuteScalar() as byte[];
    }

    /// <summary>The most bundles any device can hold in this file.</summary>
    public long HeldPerDevice() => _heldPerDevice.ExecuteScalar() as long? ?? 0;

    /// <summary>Records that no device holds more than <paramref name="limit"/> bundles.</summary>
    public void SetHeldPerDevice(int limit)
    {
        _setHeldPerDevice.Parameters[0].Value = limit;
        _setHeldPerDevice.ExecuteNonQuery();
    }

    /// <summary>Closes the connection with its statements.</summary>
    public void Dispose() => connection.Dispose();

#pragma warning disable CA2100 // Constants of this file only.
    private static SqliteCommand Statement(SqliteConnection connection, string sql, params ReadOnlySpan<string> parameters)
    {
        SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (string name in parameters)
        {
            command.Parameters.Add(new SqliteParameter { ParameterName = name });
        }

        return command;
    }
#pragma warning restore CA2100
}
