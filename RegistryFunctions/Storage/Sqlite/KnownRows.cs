using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// What this process knows of the newest rows of devices. It knows of its own commits only, so it forgets everything once
/// another process has committed, and begins again when that has left the database alone for a while.
/// </summary>
internal sealed class KnownRows(TimeProvider time)
{
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);

    private volatile NewestRows? _rows;

    // Used only by the writer's thread.
    private long? _othersSeen;
    private long? _own;
    private uint _commits;

    /// <summary>
    /// The rows, if nobody else has committed to the database that <paramref name="index"/> belongs to; else null. Belongs
    /// before the read that uses them.
    /// </summary>
    public NewestRows? At(WalIndex index) => _rows is { } rows && rows.State == index.State ? rows : null;

    /// <summary>Belongs after the begin of a transaction that holds the write lock.</summary>
    public void Begin(WalIndex index)
    {
        index.TryRead(out long state, out _commits);
        if (state != _own)
        {
            Forget(state);
        }
    }

    /// <summary>Belongs after the commit, before anybody is told of it.</summary>
    /// <param name="index">As at <see cref="Begin"/>.</param>
    /// <param name="published">The rows that were added.</param>
    /// <param name="dropped">Whether any other than a superseded bundle was dropped.</param>
    public void Commit(WalIndex index, List<(DeviceId Device, long Row)> published, bool dropped)
    {
        if (index.TryRead(out long state, out uint commits) && (commits == _commits + 1 || state == _own))
        {
            foreach ((DeviceId device, long row) in published)
            {
                _rows?.Note(device, row);
            }

            if (dropped)
            {
                _rows?.Bundles.Clear();
            }

            _own = state;
            _rows?.State = state;
        }
    }

    /// <summary>Begins again, if it is time. Belongs outside a transaction, now and then.</summary>
    public void Renew(WalIndex index)
    {
        if (!index.TryRead(out long state, out _))
        {
            return;
        }

        _own ??= state;
        if (state != _own)
        {
            Forget(state);
        }
        else if (_rows is null && (_othersSeen is not { } seen || time.GetElapsedTime(seen) >= Quiet))
        {
            _rows = new NewestRows(state);
        }
    }

    private void Forget(long state)
    {
        _rows = null;
        _own = state;
        _othersSeen = time.GetTimestamp();
    }
}
