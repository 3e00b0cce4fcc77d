using Microsoft.Data.Sqlite;
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
    // In pages: copied in about a millisecond.
    private const int Little = 256;

    // Publishes may come as fast as they are copied, and the log must not grow without end: at 120 MB the writer copies the
    // rest, and takes no more until it has.
    private const int MaxRounds = 8;
    private const int MaxPages = 30_000;

    // What is left is copied well within this time. Where it is not, only the flush comes later: by the writer.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    // A writer that does not come by in this time has nothing to write, which is as good as a pause.
    private static readonly TimeSpan WriterIsIdle = TimeSpan.FromMilliseconds(20);

    private readonly SqliteConnection _connection;
    private readonly Thread _thread;
    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly AutoResetEvent _paused = new(initialState: false);
    private readonly AutoResetEvent _flushed = new(initialState: false);

    private int _wantsPause;
    private int _bulkIsCopied;
    private volatile bool _hasFailed;
    private volatile bool _closing;

    /// <summary>Takes over a connection of its own to the database that the writer writes.</summary>
    public SqliteCheckpointer(SqliteConnection connection)
    {
        _connection = connection;
        _thread = new Thread(Run) { IsBackground = true, Name = "checkpointer" };
        _thread.Start();
    }

    /// <summary>Tells that the log has grown.</summary>
    public void Wake() => _wake.Set();

    /// <summary>
    /// Whether the disk has failed to take a copy. The system tells of a failed flush once and forgets what it could not
    /// write, so the next flush would succeed and the log, which still has it all, be begun anew: nothing more is copied.
    /// </summary>
    public bool HasFailed => _hasFailed;

    /// <summary>Lets the thread copy without being overtaken, if it asks for that. Belongs between two writes.</summary>
    public void PauseIfAsked()
    {
        if (Interlocked.Exchange(ref _wantsPause, 0) != 0)
        {
            _flushed.Reset();
            _paused.Set();
            _flushed.WaitOne(Pause);
        }
    }

    /// <summary>Whether the writer should now copy the rest; true once for each bulk.</summary>
    public bool TakeTurn() => Interlocked.Exchange(ref _bulkIsCopied, 0) != 0;

    /// <summary>Copies what it can without waiting for anybody. Returns how many pages the log has.</summary>
    public int Copy(SqliteConnection connection)
    {
        if (_hasFailed)
        {
            return 0;
        }

        int code = raw.sqlite3_wal_checkpoint_v2(
            connection.Handle, "main", raw.SQLITE_CHECKPOINT_PASSIVE, out int pages, out _);
        NoteFailure(code);
        return pages;
    }

    /// <summary>Ends the thread and closes the connection.</summary>
    public void Dispose()
    {
        _closing = true;
        raw.sqlite3_interrupt(_connection.Handle);
        _wake.Set();
        _thread.Join();
        _connection.Dispose();
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
        for (int round = 0; round < MaxRounds && !_closing; round++)
        {
            int pages = Copy(_connection);
            if (pages > MaxPages)
            {
                return;
            }

            if (pages - copied <= Little)
            {
                break;
            }

            copied = pages;
        }

        _paused.Reset();
        Volatile.Write(ref _wantsPause, 1);
        _paused.WaitOne(WriterIsIdle);
        Copy(_connection);
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
