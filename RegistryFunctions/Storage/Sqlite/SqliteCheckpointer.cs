using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// Copies the write-ahead log into the database beside the commits instead of in between. SQLite can begin the log anew
/// only when all of it is copied and flushed and nothing was added meanwhile: so a thread copies and flushes until little
/// is left, and the writer is asked to do that little (https://www.sqlite.org/wal.html#ckpt).
/// </summary>
internal sealed partial class SqliteCheckpointer : IDisposable
{
    // In pages: the writer copies so many within a few milliseconds.
    private const int Little = 256;

    // Publishes come before copying, but a machine that has much else to do must not keep the log from being copied.
    private const int Niceness = 10;

    // Publishes may come as fast as they are copied, and the log must not grow for ever: of 120 MB, the writer copies the
    // rest, and takes no more until it has.
    private const int MaxRounds = 8;
    private const int MaxPages = 30_000;

    private readonly SqliteConnection _connection;
    private readonly SqlitePacedFile _file;
    private readonly Thread _thread;
    private readonly AutoResetEvent _wake = new(initialState: false);

    private int _bulkIsCopied;
    private volatile bool _isCopying;
    private volatile bool _hasFailed;
    private volatile bool _closing;

    /// <summary>Takes over a connection of its own to the database that the writer writes.</summary>
    public SqliteCheckpointer(SqliteConnection connection)
    {
        _connection = connection;
        _file = new SqlitePacedFile(connection);
        _thread = new Thread(Run) { IsBackground = true, Name = "checkpointer" };
        _thread.Start();
    }

    /// <summary>Tells that the log has grown.</summary>
    public void Wake() => _wake.Set();

    /// <summary>Tells that it grows so fast that there is no time for pauses, if it is being copied.</summary>
    public void Hurry() => _file.IsHurried = _isCopying;

    /// <summary>
    /// Whether the disk has failed to take a copy. The system tells of a failed flush once and forgets what it could not
    /// write, so the next flush would succeed and the log, which still has it all, be begun anew: nothing more is copied.
    /// </summary>
    public bool HasFailed => _hasFailed;

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
        _file.IsHurried = true;
        raw.sqlite3_interrupt(_connection.Handle);
        _wake.Set();
        _thread.Join();
        _connection.Dispose();
        _wake.Dispose();
    }

    private void Run()
    {
        YieldToOthers();
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
        _isCopying = true;
        int copied = 0;
        for (int round = 0; round < MaxRounds && !_closing; round++)
        {
            int pages = Copy(_connection);
            // SQLite does not flush a copy while the log grows.
            NoteFailure(Flush());
            if (pages - copied <= Little || pages > MaxPages)
            {
                break;
            }

            copied = pages;
        }

        _isCopying = false;
        _file.IsHurried = _closing;
    }

    private unsafe int Flush() => SqliteFileObject.Flush(SqliteFileObject.FindDatabase(_connection));

    // What else may go wrong, such as a full disk, is left to the next turn: until then the log grows, and nothing is lost.
    private void NoteFailure(int code)
    {
        if ((code & SqliteFile.PrimaryCode) == raw.SQLITE_IOERR)
        {
            _hasFailed = true;
        }
    }

    // On Linux each thread has a priority of its own, whatever setpriority(2) says of processes.
    private static void YieldToOthers()
    {
        if (OperatingSystem.IsLinux())
        {
            _ = SetPriority(which: 0, who: 0, Niceness);
        }
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int niceness);
}
