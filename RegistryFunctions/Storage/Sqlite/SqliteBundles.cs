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

    // What an ordinary bundle may need: its row, the rest of its payload, and room in both indexes.
    private const int PagesPerBundle = 4;

    private readonly SqliteConnection _connection;
    private readonly SqliteStoreOptions _options;
    private readonly List<SqliteStatement> _statements = [];
    private readonly List<Accepted> _accepted = [];
    private readonly List<Due> _due = [];
    private bool _sizeIsLimited;

    private readonly SqliteStatement _begin;
    private readonly SqliteStatement _commit;
    private readonly SqliteStatement _acceptedOfDevice;
    private readonly SqliteStatement _isHeld;
    private readonly SqliteStatement _insert;
    private readonly SqliteStatement _drop;
    private readonly SqliteStatement _forget;
    private readonly SqliteStatement _oldestBefore;
    private readonly SqliteStatement _olderOfDevice;
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
        _acceptedOfDevice = Prepare("SELECT seq, digest FROM accepted WHERE head = ? AND device = ? ORDER BY seq DESC");
        _isHeld = Prepare("SELECT payload IS NOT NULL FROM accepted WHERE seq = ?");
        _insert = Prepare(
            """
            INSERT INTO accepted (head, device, received, digest, checksum, signature, payload)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """);
        _drop = Prepare(
            RemembersSpent
                ? "UPDATE accepted SET signature = NULL, payload = NULL WHERE seq = ? AND payload IS NOT NULL"
                : "DELETE FROM accepted WHERE seq = ? AND payload IS NOT NULL");
        _forget = Prepare("DELETE FROM accepted WHERE seq = ?");
        _oldestBefore = Prepare(
            """
            SELECT seq, device FROM accepted
            WHERE payload IS NOT NULL AND received < ? ORDER BY received LIMIT ?
            """);
        _olderOfDevice = Prepare(
            "SELECT seq FROM accepted WHERE head = ? AND device = ? AND seq < ? ORDER BY seq DESC");
        _forgetOld = Prepare(
            """
            DELETE FROM accepted WHERE seq IN
                (SELECT seq FROM accepted WHERE payload IS NULL AND received < ? ORDER BY received LIMIT ?)
            """);
        _nextDevice = Prepare("SELECT device FROM accepted WHERE (head, device) > (?, ?) ORDER BY head, device LIMIT 1");
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

    /// <summary>How many pages were written to the log since this was last asked.</summary>
    public int TakePagesWritten()
    {
        raw.sqlite3_db_status(_connection.Handle, raw.SQLITE_DBSTATUS_CACHE_WRITE, out int pages, out _, resetFlg: 1);
        return pages;
    }

    /// <summary>Has the log stay when the file is closed: the next start copies it.</summary>
    public void KeepLog() =>
        _ = raw.sqlite3_db_config(_connection.Handle, raw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, out _);

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
        FindAccepted(device);
        if (_accepted.Count > 0 && _accepted[0].Digest == digest && IsHeld(_accepted[0].Seq))
        {
            return PublishOutcome.AlreadyCurrent;
        }

        if (RemembersSpent && _accepted.Exists(earlier => earlier.Digest == digest))
        {
            return PublishOutcome.Replayed;
        }

        // Not earlier: anyone can post a device's bundles again, and must not use up its allowance by that.
        if (_options.MayAdd?.Invoke(verified.Device) == false)
        {
            return PublishOutcome.TooMany;
        }

        _insert
            .Bind(1, DeviceHead.Of(device))
            .Bind(2, device)
            .Bind(3, received.ToUnixTimeMilliseconds())
            .Bind(4, digest)
            .Bind(5, Digest.OfRow(verified.Device, verified.Bundle.Signature, digest))
            .Bind(6, verified.Bundle.Signature.Span)
            .Bind(7, verified.Bundle.Payload.Span)
            .Execute();
        DropHeld(from: _options.Keep - 1);
        ForgetBeyond(_options.Keep - 1 + SpentPerDevice);
        return PublishOutcome.Stored;
    }

    /// <summary>
    /// Drops the oldest bundles received before <paramref name="cutoff"/>, about <paramref name="limit"/> of them. Returns
    /// how many; fewer than the limit when none is left.
    /// </summary>
    public int DropReceivedBefore(DateTimeOffset cutoff, int limit)
    {
        FindDue(cutoff, limit);
        int dropped = 0;
        foreach (Due due in _due)
        {
            dropped += DropWithOlder(due);
        }

        return dropped;
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
        FindAccepted(device);
        return DropHeld(from: _options.Keep);
    }

    /// <summary>The device that follows <paramref name="device"/> in some order that begins with none, or null.</summary>
    public byte[]? NextDevice(ReadOnlySpan<byte> device)
    {
        _nextDevice.Bind(1, DeviceHead.Of(device)).Bind(2, device);
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

    /// <summary>Writes what changes nothing.</summary>
    /// <exception cref="StoreException">There is no room for a bundle under the limit of the file's size.</exception>
    public void Probe()
    {
        if (_options.MaxBytes > 0 && FreePages() < PagesPerBundle)
        {
            throw new StoreException(StoreFault.Full, "the database is at its limit of size");
        }

        // A row with the values it has would not be written; the header of the file is.
        long version = _connection.Scalar<long>("PRAGMA user_version");
        _connection.Execute(string.Create(CultureInfo.InvariantCulture, $"PRAGMA user_version = {version}"));
    }

    /// <summary>Closes the connection with its statements.</summary>
    public void Dispose()
    {
        _statements.ForEach(statement => statement.Dispose());
        _connection.Dispose();
    }

    // Newest first, into _accepted. What the device holds comes before what it has spent.
    private void FindAccepted(ReadOnlySpan<byte> device)
    {
        _accepted.Clear();
        _acceptedOfDevice.Bind(1, DeviceHead.Of(device)).Bind(2, device);
        try
        {
            while (_acceptedOfDevice.Step())
            {
                _accepted.Add(new Accepted(_acceptedOfDevice.Int64(0), _acceptedOfDevice.Int64(1)));
            }
        }
        finally
        {
            _acceptedOfDevice.Reset();
        }
    }

    // Drops the bundles that FindAccepted has found but the newest "from".
    private int DropHeld(int from)
    {
        int next = from;
        while (next < _accepted.Count && Drop(_accepted[next].Seq))
        {
            next++;
        }

        return next - from;
    }

    private void ForgetBeyond(int remembered)
    {
        for (int i = remembered; i < _accepted.Count; i++)
        {
            _forget.Bind(1, _accepted[i].Seq).Execute();
        }
    }

    private void FindDue(DateTimeOffset cutoff, int limit)
    {
        _due.Clear();
        _oldestBefore.Bind(1, cutoff.ToUnixTimeMilliseconds()).Bind(2, limit);
        try
        {
            while (_oldestBefore.Step())
            {
                _due.Add(new Due(_oldestBefore.Int64(0), new DeviceId(_oldestBefore.Blob(1))));
            }
        }
        finally
        {
            _oldestBefore.Reset();
        }
    }

    // With it goes what its device had published before: a clock set back must not bring a superseded bundle back.
    private int DropWithOlder(Due due)
    {
        if (!Drop(due.Seq))
        {
            // It went with a newer one of its device.
            return 0;
        }

        int dropped = 1;
        _olderOfDevice.Bind(1, DeviceHead.Of(due.Device.Span)).Bind(2, due.Device.Span).Bind(3, due.Seq);
        try
        {
            while (_olderOfDevice.Step() && Drop(_olderOfDevice.Int64(0)))
            {
                dropped++;
            }
        }
        finally
        {
            _olderOfDevice.Reset();
        }

        return dropped;
    }

    // False where it was dropped before.
    private bool Drop(long seq)
    {
        _drop.Bind(1, seq).Execute();
        return Changes() > 0;
    }

    private bool IsHeld(long seq) => _isHeld.Bind(1, seq).QueryInt64() != 0;

    private long HeldPerDevice() => _heldPerDevice.QueryInt64();

    private long FreePages() =>
        _connection.Scalar<long>("PRAGMA max_page_count")
        - _connection.Scalar<long>("PRAGMA page_count")
        + _connection.Scalar<long>("PRAGMA freelist_count");

    private int Changes() => raw.sqlite3_changes(_connection.Handle);

    private SqliteStatement Prepare(string sql)
    {
        var statement = new SqliteStatement(_connection, sql);
        _statements.Add(statement);
        return statement;
    }

    private readonly record struct Accepted(long Seq, long Digest);

    private readonly record struct Due(long Seq, DeviceId Device);
}
