using System.Globalization;
using Microsoft.Data.Sqlite;
using RegistryFunctions.Bundles;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// What the writer does to the tables, each statement prepared once. Not thread-safe. All but <see cref="Begin"/>,
/// <see cref="Commit"/> and <see cref="Rollback"/> belong inside a transaction.
/// </summary>
internal sealed class SqliteBundles : IDisposable
{
    // A device that publishes daily stays within this for longer than the window; one that publishes without end does
    // not grow without end.
    private const int SpentPerDevice = 128;

    private const string HeldOfDevice = "SELECT seq, digest FROM bundle WHERE device = ?";

    // A bundle that is due, and what its device had published before it: a clock set back must not bring a superseded
    // bundle back.
    private const string Due =
        """
        (SELECT device, seq FROM bundle WHERE received < ?1 ORDER BY received LIMIT ?2) AS due
        JOIN bundle AS old ON old.device = due.device AND old.seq <= due.seq
        """;

    // A payload may have been accepted more than once while nothing was remembered: the window begins with the last.
    private const string Again =
        "ON CONFLICT (device, digest) DO UPDATE SET received = max(received, excluded.received)";

    private readonly SqliteConnection _connection;
    private readonly SqliteStoreOptions _options;
    private readonly List<SqliteStatement> _statements = [];
    private readonly List<Held> _held = [];
    private int _changesTaken;
    private bool _sizeIsLimited;

    private readonly SqliteStatement _begin;
    private readonly SqliteStatement _commit;
    private readonly SqliteStatement _heldOfDevice;
    private readonly SqliteStatement _insert;
    private readonly SqliteStatement _delete;
    private readonly SqliteStatement _isSpent;
    private readonly SqliteStatement _spend;
    private readonly SqliteStatement _forgetBeyond;
    private readonly SqliteStatement _spendDue;
    private readonly SqliteStatement _deleteDue;
    private readonly SqliteStatement _forgetOld;
    private readonly SqliteStatement _nextDevice;
    private readonly SqliteStatement _heldPerDevice;
    private readonly SqliteStatement _setHeldPerDevice;

    /// <summary>Takes over the connection.</summary>
    public SqliteBundles(SqliteConnection connection, SqliteStoreOptions options)
    {
        _connection = connection;
        _options = options;
        _begin = Prepare("BEGIN IMMEDIATE");
        _commit = Prepare("COMMIT");
        _heldOfDevice = Prepare(HeldOfDevice);
        _insert = Prepare(
            "INSERT INTO bundle (device, received, digest, checksum, signature, payload) VALUES (?, ?, ?, ?, ?, ?)");
        _delete = Prepare("DELETE FROM bundle WHERE seq = ?");
        _isSpent = Prepare("SELECT 1 FROM spent WHERE device = ? AND digest = ?");
        _spend = Prepare($"INSERT INTO spent SELECT device, digest, received FROM bundle WHERE seq = ? {Again}");
        _forgetBeyond = Prepare(
            """
            DELETE FROM spent WHERE device = ?1 AND digest IN
                (SELECT digest FROM spent WHERE device = ?1 ORDER BY received DESC LIMIT -1 OFFSET ?2)
            """);
        _spendDue = Prepare(
            $"INSERT INTO spent SELECT old.device, old.digest, old.received FROM {Due} WHERE old.received >= ?3 {Again}");
        _deleteDue = Prepare($"DELETE FROM bundle WHERE seq IN (SELECT old.seq FROM {Due})");
        _forgetOld = Prepare(
            """
            DELETE FROM spent WHERE (device, digest) IN
                (SELECT device, digest FROM spent WHERE received < ? ORDER BY received LIMIT ?)
            """);
        _nextDevice = Prepare("SELECT device FROM bundle WHERE device > ? ORDER BY device LIMIT 1");
        _heldPerDevice = Prepare("SELECT at_most FROM held_per_device");
        _setHeldPerDevice = Prepare("INSERT OR REPLACE INTO held_per_device (one, at_most) VALUES (1, ?)");
    }

    private bool RemembersSpent => _options.ReplayWindow > TimeSpan.Zero;

    /// <summary>Starts a transaction that holds the write lock from the start.</summary>
    public void Begin() => _begin.Execute();

    /// <summary>Ends the transaction; returns once it is durable.</summary>
    public void Commit() => _commit.Execute();

    /// <summary>
    /// Puts the limit of the file's size in force or out of force, for statements that follow outside a transaction.
    /// </summary>
    public void LimitSize(bool limited)
    {
        if (_options.MaxBytes > 0 && limited != _sizeIsLimited)
        {
            long pages = limited ? _options.MaxBytes / _connection.Scalar<long>("PRAGMA page_size") : uint.MaxValue - 1;
            _connection.Scalar<long>(string.Create(CultureInfo.InvariantCulture, $"PRAGMA max_page_count = {pages}"));
            _sizeIsLimited = limited;
        }
    }

    /// <summary>How many rows were changed since this was last asked.</summary>
    public int TakeChanges()
    {
        int total = raw.sqlite3_total_changes(_connection.Handle);
        int changes = total - _changesTaken;
        _changesTaken = total;
        return changes;
    }

    /// <summary>Undoes the transaction, if SQLite has not done so itself on an error.</summary>
    public void Rollback()
    {
        if (raw.sqlite3_get_autocommit(_connection.Handle) == 0)
        {
            _connection.Execute("ROLLBACK");
        }
    }

    /// <summary>Adds a bundle as its device's newest, and drops what the device then holds beyond the limit.</summary>
    public PublishOutcome Publish(VerifiedBundle verified, long digest, DateTimeOffset received)
    {
        ReadOnlySpan<byte> device = verified.Device.Span;
        FindHeld(device);
        if (_held.Count > 0 && _held[0].Digest == digest)
        {
            return PublishOutcome.AlreadyCurrent;
        }

        if (RemembersSpent && (_held.Exists(held => held.Digest == digest) || IsSpent(device, digest)))
        {
            return PublishOutcome.Replayed;
        }

        _insert
            .Bind(1, device)
            .Bind(2, received.ToUnixTimeMilliseconds())
            .Bind(3, digest)
            .Bind(4, Digest.OfRow(verified.Device, verified.Bundle.Signature, digest))
            .Bind(5, verified.Bundle.Signature.Span)
            .Bind(6, verified.Bundle.Payload.Span)
            .Execute();
        DropHeld(device, from: _options.Keep - 1);
        return PublishOutcome.Stored;
    }

    /// <summary>
    /// Drops the oldest bundles received before <paramref name="cutoff"/>, about <paramref name="limit"/> of them. Returns
    /// how many; fewer than the limit when none is left.
    /// </summary>
    public int DropReceivedBefore(DateTimeOffset cutoff, DateTimeOffset now, int limit)
    {
        if (RemembersSpent)
        {
            _spendDue
                .Bind(1, cutoff.ToUnixTimeMilliseconds())
                .Bind(2, limit)
                .Bind(3, (now - _options.ReplayWindow).ToUnixTimeMilliseconds())
                .Execute();
        }

        _deleteDue.Bind(1, cutoff.ToUnixTimeMilliseconds()).Bind(2, limit).Execute();
        return Changes();
    }

    /// <summary>
    /// Forgets dropped payloads that were received before the replay window, at most <paramref name="limit"/>; returns how
    /// many.
    /// </summary>
    public int ForgetSpent(DateTimeOffset now, int limit)
    {
        _forgetOld.Bind(1, (now - _options.ReplayWindow).ToUnixTimeMilliseconds()).Bind(2, limit).Execute();
        return Changes();
    }

    /// <summary>Drops what the device holds beyond the limit; returns how many.</summary>
    public int Trim(ReadOnlySpan<byte> device)
    {
        FindHeld(device);
        return DropHeld(device, from: _options.Keep);
    }

    /// <summary>The device that follows <paramref name="device"/> in byte order, or null.</summary>
    public byte[]? NextDevice(ReadOnlySpan<byte> device)
    {
        _nextDevice.Bind(1, device);
        try
        {
            return _nextDevice.Step() ? _nextDevice.Blob(0).ToArray() : null;
        }
        finally
        {
            _nextDevice.Reset();
        }
    }

    /// <summary>Whether some device may hold more than the limit: the file was written under a higher one.</summary>
    public bool MayHoldMoreThanKept() => HeldPerDevice() > _options.Keep;

    /// <summary>Records that devices may come to hold as many as the limit. Belongs before every publish.</summary>
    public void AllowForKept()
    {
        if (HeldPerDevice() < _options.Keep)
        {
            RecordHeldPerDevice();
        }
    }

    /// <summary>Records that no device holds more than the limit.</summary>
    public void RecordHeldPerDevice() => _setHeldPerDevice.Bind(1, _options.Keep).Execute();

    /// <summary>Closes the connection with its statements.</summary>
    public void Dispose()
    {
        _statements.ForEach(statement => statement.Dispose());
        _connection.Dispose();
    }

    // Newest first, into _held.
    private void FindHeld(ReadOnlySpan<byte> device)
    {
        _held.Clear();
        _heldOfDevice.Bind(1, device);
        try
        {
            while (_heldOfDevice.Step())
            {
                _held.Add(new Held(_heldOfDevice.Int64(0), _heldOfDevice.Int64(1)));
            }
        }
        finally
        {
            _heldOfDevice.Reset();
        }

        _held.Sort(static (a, b) => b.Seq.CompareTo(a.Seq));
    }

    // Drops the device's bundles but the newest "from", as found by FindHeld.
    private int DropHeld(ReadOnlySpan<byte> device, int from)
    {
        for (int i = from; i < _held.Count; i++)
        {
            if (RemembersSpent)
            {
                _spend.Bind(1, _held[i].Seq).Execute();
            }

            _delete.Bind(1, _held[i].Seq).Execute();
        }

        int dropped = int.Max(0, _held.Count - from);
        if (RemembersSpent && dropped > 0)
        {
            _forgetBeyond.Bind(1, device).Bind(2, SpentPerDevice).Execute();
        }

        return dropped;
    }

    private bool IsSpent(ReadOnlySpan<byte> device, long digest)
    {
        _isSpent.Bind(1, device).Bind(2, digest);
        try
        {
            return _isSpent.Step();
        }
        finally
        {
            _isSpent.Reset();
        }
    }

    private long HeldPerDevice()
    {
        try
        {
            return _heldPerDevice.Step() ? _heldPerDevice.Int64(0) : 0;
        }
        finally
        {
            _heldPerDevice.Reset();
        }
    }

    private int Changes() => raw.sqlite3_changes(_connection.Handle);

    private SqliteStatement Prepare(string sql)
    {
        var statement = new SqliteStatement(_connection, sql);
        _statements.Add(statement);
        return statement;
    }

    private readonly record struct Held(long Seq, long Digest);
}
