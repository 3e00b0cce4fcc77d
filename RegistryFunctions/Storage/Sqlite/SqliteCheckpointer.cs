using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// Copies the write-ahead log into the database. Most of it is copied beside the commits, on a thread of its own. SQLite
/// flushes a copy, and begins the log anew, only where nothing was added to the log meanwhile
/// (https://www.sqlite.org/c3ref/wal_checkpoint_v2.html, https://www.sqlite.org/wal.html#ckpt), so the writer itself then
/// copies what is left, between two commits.
/// </summary>
/// <param name="session">A session on the database that the writer writes. It is closed with the checkpointer.</param>
internal sealed class SqliteCheckpointer(SqliteSession session) : IDisposable
{
    // Used only by the writer's thread.
    private int _uncopied;
    private Task? _copying;

    private volatile bool _hasFailed;

    /// <summary>
    /// Whether the disk has failed to take a copy. The system tells of a failed flush once and forgets what it could not
    /// write, so the next flush would succeed and the log, which still has it all, be begun anew: nothing more is copied.
    /// </summary>
    public bool HasFailed => _hasFailed;

    /// <summary>Begins to copy when it is time to, and says whether the writer should now copy the rest of the log.</summary>
    /// <param name="pagesWritten">How many pages were added to the log since the last call.</param>
    public bool NeedsWriter(int pagesWritten)
    {
        _uncopied += pagesWritten;
        if (_copying is null && _uncopied >= SqliteTuning.PagesBetweenCheckpoints)
        {
            _uncopied = 0;
            _copying = Task.Factory.StartNew(
                () => Copy(session), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }

        if (_copying is not { IsCompleted: true })
        {
            return false;
        }

        _copying = null;
        return true;
    }

    /// <summary>Copies what it can without waiting for anybody. Returns whether that was all.</summary>
    public bool Copy(SqliteSession through)
    {
        if (_hasFailed)
        {
            return false;
        }

        int code = SqliteFault.CodeOf(
            raw.sqlite3_wal_checkpoint_v2(through.Handle, "main", raw.SQLITE_CHECKPOINT_PASSIVE, out int pages, out int copied));
        // What else may go wrong, such as a full disk, is left to the next turn: until then the log grows, and nothing is lost.
        if ((code & SqliteFault.PrimaryCode) == raw.SQLITE_IOERR)
        {
            GiveUp();
        }

        return code == raw.SQLITE_OK && copied == pages;
    }

    /// <summary>Copies nothing more.</summary>
    public void GiveUp() => _hasFailed = true;

    /// <summary>Ends the copying and closes the session.</summary>
    public void Dispose()
    {
        raw.sqlite3_interrupt(session.Handle);
        _copying?.Wait();
        session.Dispose();
    }
}
