using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// Copies the write-ahead log into the database beside the commits. A passive checkpoint flushes what it has copied only if
/// nothing was added to the log meanwhile, and SQLite begins the log anew only when all of it is copied and flushed
/// (https://www.sqlite.org/c3ref/wal_checkpoint_v2.html, https://www.sqlite.org/wal.html#ckpt). So a thread copies until
/// little is left, asks the writer for a short pause, copies that and flushes all of it while the writer goes on; the writer
/// itself then copies what was added during the flush.
/// </summary>
internal sealed class SqliteCheckpointer : IDisposable
{
    private readonly SqliteSession _session;
    private readonly Thread _thread;
    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly AutoResetEvent _paused = new(initialState: false);
    private readonly AutoResetEvent _flushed = new(initialState: false);

    // Used only by the writer's thread.
    private int _uncopied;

    private int _wantsPause;
    private int _bulkIsCopied;
    private volatile bool _hasFailed;
    private volatile bool _closing;

    /// <summary>Takes over a session of its own on the database that the writer writes.</summary>
    public SqliteCheckpointer(SqliteSession session)
    {
        _session = session;
        _thread = new Thread(Run) { IsBackground = true, Name = "checkpointer" };
    }

    /// <summary>
    /// Whether the disk has failed to take a copy. The system tells of a failed flush once and forgets what it could not
    /// write, so the next flush would succeed and the log, which still has it all, be begun anew: nothing more is copied.
    /// </summary>
    public bool HasFailed => _hasFailed;

    /// <summary>Starts the thread.</summary>
    public void Start() => _thread.Start();

    /// <summary>
    /// Whether the writer should now copy the rest of the log. Belongs between two writes: it waits a moment where the thread
    /// asks for a pause.
    /// </summary>
    /// <param name="pagesWritten">How many pages the log has grown by since the last call.</param>
    public bool NeedsWriter(int pagesWritten)
    {
        _uncopied += pagesWritten;
        if (Interlocked.Exchange(ref _wantsPause, 0) != 0)
        {
            _flushed.Reset();
            _paused.Set();
            _flushed.WaitOne(SqliteTuning.WriterPause);
        }

        if (Interlocked.Exchange(ref _bulkIsCopied, 0) != 0)
        {
            _uncopied = 0;
            return true;
        }

        if (_uncopied >= SqliteTuning.PagesBetweenCheckpoints)
        {
            _uncopied = 0;
            _wake.Set();
        }

        return false;
    }

    /// <summary>Copies what it can without waiting for anybody. Returns how many pages the log has.</summary>
    public int Copy(SqliteSession session)
    {
        if (_hasFailed)
        {
            return 0;
        }

        int code = raw.sqlite3_wal_checkpoint_v2(
            session.Handle, "main", raw.SQLITE_CHECKPOINT_PASSIVE, out int pages, out _);
        NoteFailure(code);
        return pages;
    }

    /// <summary>Ends the thread and closes the connection.</summary>
    public void Dispose()
    {
        _closing = true;
        raw.sqlite3_interrupt(_session.Handle);
        _wake.Set();
        if (_thread.IsAlive)
        {
            _thread.Join();
        }

        _session.Dispose();
        _wake.Dispose();
        _paused.Dispose();
        _flushed.Dispose();
    }

    private void Run()
    {
        while (true)
        {
            _wake.WaitOne();
            if (_closing)
            {
                return;
            }

            CopyBulk();
            Volatile.Write(ref _bulkIsCopied, 1);
        }
    }

    private void CopyBulk()
    {
        int copied = 0;
        for (int round = 0; round < SqliteTuning.MaxRounds && !_closing; round++)
        {
            int pages = Copy(_session);
            if (pages > SqliteTuning.MaxPages)
            {
                return;
            }

            if (pages - copied <= SqliteTuning.PagesWorthAPause)
            {
                break;
            }

            copied = pages;
        }

        _paused.Reset();
        Volatile.Write(ref _wantsPause, 1);
        _paused.WaitOne(SqliteTuning.WriterIsIdle);
        Copy(_session);
        Volatile.Write(ref _wantsPause, 0);
        _flushed.Set();
    }

    // What else may go wrong, such as a full disk, is left to the next turn: until then the log grows, and nothing is lost.
    private void NoteFailure(int code)
    {
        if ((code & SqliteFile.PrimaryCode) == raw.SQLITE_IOERR)
        {
            _hasFailed = true;
        }
    }
}
