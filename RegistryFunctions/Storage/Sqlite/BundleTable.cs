using System.Buffers.Binary;
using RegistryFunctions.Bundles;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// What is done to the table of bundles, with the limit per device and the replay rule. All of it belongs inside a transaction.
/// Not thread-safe.
/// </summary>
internal sealed class BundleTable
{
    // A device that publishes daily stays within this for longer than the window; one that publishes without end does
    // not grow without end.
    private const int SpentPerDevice = 128;

    private readonly SqliteSession _session;
    private readonly int _keep;
    private readonly TimeSpan _replayWindow;
    private readonly List<Accepted> _accepted = [];
    private readonly List<Due> _due = [];

    private readonly SqliteStatement _acceptedOfDevice;
    private readonly SqliteStatement _isHeld;
    private readonly SqliteStatement _insert;
    private readonly SqliteStatement _drop;
    private readonly SqliteStatement _forget;
    private readonly SqliteStatement _oldestBefore;
    private readonly SqliteStatement _forgetOld;
    private readonly SqliteStatement _nextDevice;
    private readonly SqliteStatement _heldPerDevice;
    private readonly SqliteStatement _setHeldPerDevice;

    public BundleTable(SqliteSession session, StoreOptions options)
    {
        _session = session;
        _keep = options.Keep;
        _replayWindow = options.ReplayWindow;
        _acceptedOfDevice = session.Prepare("SELECT seq, digest FROM accepted WHERE head = ? AND device = ? ORDER BY seq DESC");
        _isHeld = session.Prepare("SELECT payload IS NOT NULL FROM accepted WHERE seq = ?");
        _insert = session.Prepare(
            """
            INSERT INTO accepted (head, device, received, digest, checksum, signature, payload)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """);
        _drop = session.Prepare(
            RemembersSpent
                ? "UPDATE accepted SET signature = NULL, payload = NULL WHERE seq = ? AND payload IS NOT NULL"
                : "DELETE FROM accepted WHERE seq = ? AND payload IS NOT NULL");
        _forget = session.Prepare("DELETE FROM accepted WHERE seq = ?");
        _oldestBefore = session.Prepare(
            """
            SELECT seq, device FROM accepted
            WHERE payload IS NOT NULL AND received < ? ORDER BY received LIMIT ?
            """);
        _forgetOld = session.Prepare(
            """
            DELETE FROM accepted WHERE seq IN
                (SELECT seq FROM accepted WHERE payload IS NULL AND received < ? ORDER BY received LIMIT ?)
            """);
        _nextDevice = session.Prepare("SELECT device FROM accepted WHERE (head, device) > (?, ?) ORDER BY head, device LIMIT 1");
        _heldPerDevice = session.Prepare("SELECT at_most FROM held_per_device");
        _setHeldPerDevice = session.Prepare("INSERT OR REPLACE INTO held_per_device (one, at_most) VALUES (1, ?)");
    }

    private bool RemembersSpent => _replayWindow > TimeSpan.Zero;

    /// <summary>
    /// The first 8 bytes of a device id as one number; no bytes at all come first. The tree of all devices is ordered by it:
    /// SQLite compares numbers several times faster than blobs, and keys are uniformly distributed.
    /// </summary>
    public static long HeadOf(ReadOnlySpan<byte> device) =>
        device.IsEmpty ? long.MinValue : BinaryPrimitives.ReadInt64BigEndian(device);

    /// <summary>Adds a bundle as its device's newest, and drops what the device then holds beyond the limit.</summary>
    /// <param name="verified">The bundle.</param>
    /// <param name="digest">The digest of its payload.</param>
    /// <param name="received">When it came.</param>
    /// <param name="mayAdd">Whether its device may add one now. Repeats and replays, which anyone can post, add none.</param>
    public PublishOutcome Publish(VerifiedBundle verified, long digest, DateTimeOffset received, bool mayAdd)
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

        if (!mayAdd)
        {
            return PublishOutcome.TooMany;
        }

        _insert
            .Bind(1, HeadOf(device))
            .Bind(2, device)
            .Bind(3, received.ToUnixTimeMilliseconds())
            .Bind(4, digest)
            .Bind(5, Digest.OfRow(verified.Device, verified.Bundle.Signature, digest))
            .Bind(6, verified.Bundle.Signature.Span)
            .Bind(7, verified.Bundle.Payload.Span)
            .Execute();
        DropHeld(from: _keep - 1);
        ForgetBeyond(_keep - 1 + SpentPerDevice);
        return PublishOutcome.Stored;
    }

    /// <summary>
    /// Drops the oldest bundles received before <paramref name="cutoff"/>, about <paramref name="limit"/> of them. Returns
    /// how many; fewer than the limit when none is left.
    /// </summary>
    public int DropReceivedBefore(DateTimeOffset cutoff, int limit)
    {
        _due.Clear();
        foreach (SqliteStatement row in _oldestBefore.Bind(1, cutoff.ToUnixTimeMilliseconds()).Bind(2, limit).Rows())
        {
            _due.Add(new Due(row.Int64(0), new DeviceId(row.Blob(1))));
        }

        return _due.Sum(DropWithOlder);
    }

    /// <summary>
    /// Forgets dropped payloads that were received before the replay window, at most <paramref name="limit"/>; returns how
    /// many.
    /// </summary>
    public int ForgetSpent(DateTimeOffset now, int limit)
    {
        _forgetOld.Bind(1, (now - _replayWindow).ToUnixTimeMilliseconds()).Bind(2, limit).Execute();
        return Changes();
    }

    /// <summary>
    /// Drops what devices hold beyond the limit, where the file was written under a higher one. Returns how many bundles.
    /// </summary>
    /// <param name="last">The device that was seen last, at first no bytes; null when none is left.</param>
    /// <param name="devices">How many more devices it looks at.</param>
    public int Trim(ref byte[]? last, int devices)
    {
        if (HeldPerDevice() <= _keep)
        {
            last = null;
            return 0;
        }

        int dropped = 0;
        for (int i = 0; i < devices && last is not null; i++)
        {
            last = NextDevice(last);
            if (last is null)
            {
                RecordHeldPerDevice();
            }
            else
            {
                FindAccepted(last);
                dropped += DropHeld(from: _keep);
            }
        }

        return dropped;
    }

    // In some order that begins with no bytes.
    private byte[]? NextDevice(ReadOnlySpan<byte> device)
    {
        foreach (SqliteStatement row in _nextDevice.Bind(1, HeadOf(device)).Bind(2, device).Rows())
        {
            return row.Blob(0).ToArray();
        }

        return null;
    }

    /// <summary>Records that devices may come to hold as many as the limit. Belongs before every publish.</summary>
    public void AllowForKept()
    {
        if (HeldPerDevice() < _keep)
        {
            RecordHeldPerDevice();
        }
    }

    private void RecordHeldPerDevice() => _setHeldPerDevice.Bind(1, _keep).Execute();

    // Newest first, into _accepted. What the device holds comes before what it has spent.
    private void FindAccepted(ReadOnlySpan<byte> device)
    {
        _accepted.Clear();
        foreach (SqliteStatement row in _acceptedOfDevice.Bind(1, HeadOf(device)).Bind(2, device).Rows())
        {
            _accepted.Add(new Accepted(row.Int64(0), row.Int64(1)));
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

    // With it goes what its device had published before: a clock set back must not bring a superseded bundle back. None where it
    // went with a newer one of its device.
    private int DropWithOlder(Due due)
    {
        FindAccepted(due.Device.Span);
        int first = _accepted.FindIndex(accepted => accepted.Seq == due.Seq);
        return first < 0 ? 0 : DropHeld(first);
    }

    // False where it was dropped before.
    private bool Drop(long seq)
    {
        _drop.Bind(1, seq).Execute();
        return Changes() > 0;
    }

    private bool IsHeld(long seq) => _isHeld.Bind(1, seq).QueryInt64() != 0;

    private long HeldPerDevice() => _heldPerDevice.QueryInt64();

    private int Changes() => raw.sqlite3_changes(_session.Handle);

    private readonly record struct Accepted(long Seq, long Digest);

    private readonly record struct Due(long Seq, DeviceId Device);
}
