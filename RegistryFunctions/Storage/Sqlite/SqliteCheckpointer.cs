using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// Copies the write-ahead log into the database. Most of it is copied beside the commits, on another thread. SQLite
/// flushes a copy, and begins the log anew, only where nothing was added to the log meanwhile
/// (https://www.sqlite.org/c3ref/wal_checkpoint_v2.html, https://www.sqlite.org/wal.html#ckpt), so the writer itself then
/// copies what is left, between two commits.
/// </summary>
/// <param name="session">A session on the database that the writer writes. It is closed with the checkpointer.</param>
/// <param name="faults">Told what keeps the log from being copied.</param>
internal sealed class SqliteCheckpointer(SqliteSession session, FaultLog faults) : IDisposable
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
            _copying = Task.Run(() => Checkpoint(session));
        }

        if (_copying is not { IsCompleted: true })
        {
            return false;
        }

        _copying = null;
        return true;
    }

    /// <summary>Copies what it can without waiting for anybody. Returns whether that was all.</summary>
    public bool Checkpoint(SqliteSession through)
    {
        if (_hasFailed)
        {
            return false;
        }

        int code = SqliteFault.CodeOf(
            through.Handle,
            raw.sqlite3_wal_checkpoint_v2(through.Handle, "main", raw.SQLITE_CHECKPOINT_PASSIVE, out int pages, out int copied));
        if (code is raw.SQLITE_IOERR_FSYNC or raw.SQLITE_IOERR_DIR_FSYNC)
        {
            GiveUp();
        }

        Report(code);
        return code == raw.SQLITE_OK && copied == pages;
    }

    /// <summary>Copies nothing more.</summary>
    public void GiveUp() => _hasFailed = true;

    /// <inheritdoc/>
    public void Dispose()
    {
        raw.sqlite3_interrupt(session.Handle);
        _copying?.Wait();
        session.Dispose();
    }

    // The next turn tries again. Until then the log grows, and nothing is lost.
    private void Report(int code)
    {
        if (code == raw.SQLITE_OK)
        {
            faults.Healed();
        }
        else if ((code & SqliteFault.PrimaryCode) is not (raw.SQLITE_BUSY or raw.SQLITE_LOCKED or raw.SQLITE_INTERRUPT))
        {
            var error = new SqliteException(raw.sqlite3_errstr(code).utf8_to_string(), code & SqliteFault.PrimaryCode, code);
            faults.Report(SqliteFault.Of(error) ?? StoreFault.Unavailable, error);
        }
    }
}
