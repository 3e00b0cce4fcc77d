using System.Globalization;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// The one connection that writes: its transactions, what must hold before each commits, and the care for the write-ahead
/// log. Used only by the writer's thread.
/// </summary>
internal sealed class SqliteWriteConnection : IDisposable
{
    // What an ordinary bundle may need: its row, the rest of its payload, and room in both indexes.
    private const int PagesPerBundle = 4;

    private readonly SqliteSession _session;
    private readonly BundleTable _table;
    private readonly SqliteCheckpointer _checkpointer;
    private readonly SqliteAnchor _anchor;
    private readonly SqliteStatement _begin;
    private readonly SqliteStatement _commit;
    private readonly FileIdentity _databaseFile;
    private readonly FileIdentity _logFile;
    private readonly SqliteStatement _dataVersion;
    private readonly SqliteStatement _pageCount;
    private readonly OverwriteWatch _overwrites;
    private readonly string _path;
    private readonly long _maxBytes;
    private readonly TimeProvider _time;
    private readonly FaultLog _faults;
    private bool _sizeIsLimited;
    private bool _wasOverwritten;
    private bool _logIsGone;

    // The sessions are those of Open, which closes them where this throws.
    private SqliteWriteConnection(
        SqliteSession session,
        SqliteSession copying,
        SqliteSession anchoring,
        SqliteStoreOptions options,
        TimeProvider time,
        ILogger logger)
    {
        _session = session;
        _checkpointer = new SqliteCheckpointer(copying, new FaultLog(logger, "copied from the write-ahead log", time));
        _anchor = new SqliteAnchor(anchoring);
        _table = new BundleTable(session, options.Store);
        _begin = session.Prepare("BEGIN IMMEDIATE");
        _commit = session.Prepare("COMMIT");
        _dataVersion = session.Prepare("PRAGMA data_version");
        _pageCount = session.Prepare("PRAGMA page_count");
        _databaseFile = new FileIdentity(options.Path);
        _logFile = new FileIdentity(SqliteFile.LogOf(options.Path));
        _path = options.Path;
        _maxBytes = options.MaxBytes;
        _time = time;
        _faults = new FaultLog(logger, "written", time);

        // What a process that was killed has left in the log. Not beside the serving: a process that is killed again and
        // again before that is done would find ever more.
        long dataVersion = _dataVersion.QueryInt64();
        bool isWhole = _checkpointer.Checkpoint(session);
        _anchor.Renew(dataVersion);
        _overwrites = new OverwriteWatch(options.Path, isWhole, dataVersion);
    }

    /// <summary>Opens the file, creating it where missing.</summary>
    /// <exception cref="StoreOpenException">The path can't hold the store.</exception>
    public static SqliteWriteConnection Open(SqliteStoreOptions options, TimeProvider time, ILogger logger) =>
        SqliteFile.OpenForWriting(options.Path, SqliteSchema.Migrations).Into(session =>
            SqliteFile.OpenForReading(options.Path).Into(copying =>
                SqliteFile.OpenForReading(options.Path).Into(anchoring =>
                    new SqliteWriteConnection(session, copying, anchoring, options, time, logger))));

    /// <summary>
    /// Does <paramref name="work"/>, which is told the time, in a transaction that holds the write lock from the start.
    /// Returns once that is durable; where anything throws, nothing was done.
    /// </summary>
    /// <param name="work">What is done to the tables.</param>
    /// <param name="sizeIsLimited">Whether the limit of the file's size is in force.</param>
    /// <exception cref="StoreException">It can't be written now.</exception>
    public void InTransaction(Action<BundleTable, DateTimeOffset> work, bool sizeIsLimited = true)
    {
        try
        {
            LimitSize(sizeIsLimited);
            _begin.Execute();
            work(_table, _time.GetUtcNow());
            RefuseLossyCommit();
            _commit.Execute();
            _faults.Healed();
        }
        catch (Exception e)
        {
            Rollback();
            if (SqliteFault.AsStoreException(e) is not { } fault)
            {
                throw;
            }

            _faults.Report(fault.Fault, fault);
            throw fault;
        }
    }

    /// <summary>Writes what changes nothing, to find out what a publish would meet.</summary>
    /// <exception cref="StoreException">It can't be written now, or there is no room for a bundle.</exception>
    public void Probe() => InTransaction((_, _) =>
    {
        if (_maxBytes > 0 && FreePages() < PagesPerBundle)
        {
            throw new StoreException(StoreFault.Full, "the database is at its size limit");
        }

        // A row with the values it has would not be written; the header of the file is.
        long version = _session.Scalar<long>("PRAGMA user_version");
        _session.Execute(string.Create(CultureInfo.InvariantCulture, $"PRAGMA user_version = {version}"));
    });

    /// <summary>
    /// Does the writer's part in copying the log, and holds the newest state for the readers. Call after every batch, and once a
    /// second when idle.
    /// </summary>
    public void TendLog()
    {
        try
        {
            Tend();
        }
        catch (SqliteException)
        {
            // Whoever fetches or publishes meets the fault too, and reports it.
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _checkpointer.Dispose();
        _anchor.Dispose();
        _session.AllowCheckpointOnClose(MayCheckpointOnClose());
        _session.Dispose();
        _overwrites.Dispose();
    }

    private void Tend()
    {
        if (_checkpointer.HasFailed)
        {
            // Keeps other processes, which may not know, from starting the log over.
            _anchor.Hold();
            return;
        }

        raw.sqlite3_db_status(_session.Handle, raw.SQLITE_DBSTATUS_CACHE_WRITE, out int pagesWritten, out _, resetFlg: 1);
        // A log that was deleted is still open here: what only it holds must get into the database while there is time.
        if (_checkpointer.NeedsWriter(pagesWritten) || (_logIsGone && !SqliteFile.HasLog(_path)))
        {
            _anchor.Release();
            _checkpointer.Checkpoint(_session);
        }

        _anchor.Renew(_dataVersion.QueryInt64());
    }

    // SQLite would accept this commit, but it would be lost.
    private void RefuseLossyCommit()
    {
        // For good: what was copied into the file then may look sound.
        if (!_wasOverwritten && WasOverwritten())
        {
            _wasOverwritten = true;
            _checkpointer.GiveUp();
        }

        if (_wasOverwritten)
        {
            throw new StoreException(
                StoreFault.Unavailable,
                "the database file was overwritten: stop, keep a copy of it and of its -wal, and restore a backup without -wal and -shm");
        }

        bool isInPlace = _databaseFile.IsInPlace;
        if (!isInPlace || !_logFile.IsInPlace)
        {
            // Where another process has begun a log of its own, copying this one would damage the database.
            _logIsGone = isInPlace && !SqliteFile.HasLog(_path);
            throw new StoreException(
                StoreFault.Unavailable, "the database file or its log was removed or replaced: put it back and restart");
        }

        if (_checkpointer.HasFailed)
        {
            throw new StoreException(
                StoreFault.Unavailable, "the disk failed to store what was written: repair it and restart");
        }
    }

    private bool WasOverwritten()
    {
        try
        {
            return _overwrites.WasOverwritten(_dataVersion.QueryInt64(), _pageCount.QueryInt64());
        }
        catch (IOException e)
        {
            throw new StoreException(StoreFault.Unavailable, $"the header of the database can't be read: {e.Message}", e);
        }
    }

    // Otherwise the log stays, and the next start copies it.
    private bool MayCheckpointOnClose()
    {
        try
        {
            RefuseLossyCommit();
            return true;
        }
        catch (Exception e) when (SqliteFault.AsStoreException(e) is not null)
        {
            return false;
        }
    }

    private void LimitSize(bool limited)
    {
        if (_maxBytes > 0 && limited != _sizeIsLimited)
        {
            long pages = limited ? _maxBytes / _session.Scalar<long>("PRAGMA page_size") : uint.MaxValue - 1;
            _session.Scalar<long>(string.Create(CultureInfo.InvariantCulture, $"PRAGMA max_page_count = {pages}"));
            _sizeIsLimited = limited;
        }
    }

    private long FreePages() =>
        _session.Scalar<long>("PRAGMA max_page_count")
        - _session.Scalar<long>("PRAGMA page_count")
        + _session.Scalar<long>("PRAGMA freelist_count");

    private void Rollback()
    {
        try
        {
            // On some errors SQLite has done so itself.
            if (_session.InTransaction)
            {
                _session.Execute("ROLLBACK");
            }
        }
        catch (SqliteException)
        {
            // The cause was reported already; the next BEGIN meets what is left of it.
        }
    }
}
