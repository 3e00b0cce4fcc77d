using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>How the database file is opened.</summary>
internal static class SqliteFile
{
    // Where a write would make a file larger than is allowed, the system ends the process, unless it handles the signal: then
    // the write fails, and that is told like a full disk. The number is that of Linux and the BSDs. Kept for the life of the
    // process.
    private static readonly PosixSignalRegistration? FileSizeSignal = OperatingSystem.IsWindows()
        ? null
        : PosixSignalRegistration.Create((PosixSignal)25, context => context.Cancel = true);

    /// <summary>Opens the file for writing, creating it where missing, and brings it to the newest schema.</summary>
    /// <exception cref="StoreOpenException">The path can't hold a database; the message says why and what to do.</exception>
    public static SqliteSession OpenForWriting(string path, IReadOnlyList<string> migrations) => OpenForWriting(
        path,
        migrations,
        session =>
        {
            SqliteCopyMark.BeginServing(session);
            // Not at a commit: see SqliteCheckpointer.
            session.Execute($"PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = {SqliteTuning.IdleLogBytes}");
        });

    /// <summary>Opens a file, creating it where missing, to copy another registry into it.</summary>
    /// <exception cref="StoreOpenException">The path can't hold a database, or the file holds something else.</exception>
    public static SqliteSession OpenForCopying(string path, IReadOnlyList<string> migrations, string source) =>
        OpenForWriting(path, migrations, session => SqliteCopyMark.Begin(session, source));

    /// <summary>Opens the file, which must exist, for reading and for checkpoints.</summary>
    /// <remarks>Not SqliteOpenMode.ReadOnly: readers of a WAL database write to its shared-memory index.</remarks>
    public static SqliteSession OpenForReading(string path) => Open(
        path,
        SqliteOpenMode.ReadWrite,
        "PRAGMA query_only = ON",
        $"PRAGMA cache_size = -{SqliteTuning.ReaderCachesKiB / SqliteTuning.IdleReaders}");

    /// <summary>Opens the file of a registry, which must exist, for backing it up.</summary>
    /// <exception cref="StoreOpenException">It is no registry's.</exception>
    public static SqliteSession OpenForBackup(string path, IReadOnlyList<string> migrations) => OpenOrRefuse(
        path,
        () => OpenForReading(path),
        session => SqliteSchema.RefuseForeign(session, migrations));

    /// <summary>Opens an empty file that nobody else uses yet, to fill it with a copy of a database.</summary>
    /// <remarks>
    /// A copy that fails is thrown away, and one that succeeds is flushed, each as a whole. As nobody else uses it, there is
    /// nobody to lock out, which a network drive may not be able to.
    /// </remarks>
    public static SqliteSession OpenForCopy(string path) => Connect(
        UriOf(path, "nolock=1"), SqliteOpenMode.ReadWrite, "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF");

    /// <summary>
    /// Opens the file of a registry for checking it, in use or not, damaged or not, and neither changes it nor puts files
    /// beside it.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="migrations">The schema.</param>
    /// <param name="inUse">Whether the file has a write-ahead log, so that others may change it meanwhile.</param>
    /// <exception cref="StoreOpenException">It is no registry's.</exception>
    public static SqliteSession OpenForCheck(string path, IReadOnlyList<string> migrations, out bool inUse)
    {
        bool hasLog = inUse = HasLog(path);
        return OpenOrRefuse(
            path,
            () =>
            {
                if (hasLog && !File.Exists($"{path}-shm"))
                {
                    throw new StoreOpenException(
                        "has its -wal file beside it, but not its -shm: copy all three, or better use the backup command");
                }

                // Without a log all is in the one file. Even a reader would begin a log, unless told that none is needed.
                return Connect(hasLog ? path : UriOf(path, "immutable=1"), SqliteOpenMode.ReadOnly);
            },
            session =>
            {
                // Lets SQLite read a file that is shorter than it says (https://www.sqlite.org/pragma.html#pragma_writable_schema).
                session.Execute("PRAGMA writable_schema = ON");
                SqliteSchema.RefuseForeign(session, migrations);
            });
    }

    /// <summary>Whether there is a write-ahead log beside the file.</summary>
    public static bool HasLog(string path) => File.Exists(LogOf(path));

    /// <summary>The write-ahead log beside a file.</summary>
    public static string LogOf(string path) => $"{path}-wal";

    // Every connection here has one user at a time, so SQLite need not lock each call
    // (https://www.sqlite.org/threadsafe.html), nor count its memory. Takes effect before the first connection only.
    static SqliteFile()
    {
        Batteries_V2.Init();
        raw.sqlite3_config(raw.SQLITE_CONFIG_MULTITHREAD);
        raw.sqlite3_config(raw.SQLITE_CONFIG_MEMSTATUS, 0);
    }

    private static SqliteSession OpenOrRefuse(string path, Func<SqliteSession> open, Action<SqliteSession> prepare)
    {
        try
        {
            return open().Into(session =>
            {
                prepare(session);
                return session;
            });
        }
        catch (Exception e) when (SqliteFault.Explain(e) is { } reason)
        {
            throw new StoreOpenException($"{path}: {reason}", e);
        }
    }

    private static SqliteSession OpenForWriting(
        string path, IReadOnlyList<string> migrations, Action<SqliteSession> prepare) => OpenOrRefuse(
        path,
        () => Open(path, SqliteOpenMode.ReadWriteCreate),
        session =>
        {
            RefuseReadOnly(session);
            // In one transaction: another process may be creating the file at this moment.
            using (session.Begin(deferred: true))
            {
                SqliteSchema.RefuseForeign(session, migrations, mayBeEmpty: true);
            }

            EnterWalMode(session);
            RefuseCutOff(path, session);
            SqliteSchema.Migrate(session, migrations);
            SqliteSchema.ReadEnds(session);
            prepare(session);
        });

    private static SqliteSession Open(string path, SqliteOpenMode mode, params ReadOnlySpan<string> pragmas) =>
        Connect(path, mode, ["PRAGMA synchronous = FULL", .. pragmas]);

    private static SqliteSession Connect(string path, SqliteOpenMode mode, params ReadOnlySpan<string> pragmas)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = mode,
            Pooling = false,
            // SQLite's own busy timeout does the waiting; the least that is not "for ever" here.
            DefaultTimeout = 1,
        }.ToString());
        var session = new SqliteSession(connection);
        try
        {
            connection.Open();
            session.AllowCheckpointOnClose(false);
            session.Execute($"PRAGMA busy_timeout = {SqliteTuning.BusyTimeoutMs}");
            foreach (string pragma in pragmas)
            {
                session.Execute(pragma);
            }

            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    // A path as SQLite's parameters need it (https://www.sqlite.org/uri.html).
    private static string UriOf(string path, string parameter) =>
        $"file:{string.Join('/', path.Split('/').Select(Uri.EscapeDataString))}?{parameter}";

    // Where it may not write, SQLite opens a file for reading instead, and then takes even BEGIN IMMEDIATE for a read
    // (https://www.sqlite.org/c3ref/open.html, https://www.sqlite.org/lang_transaction.html).
    private static void RefuseReadOnly(SqliteSession session)
    {
        if (raw.sqlite3_db_readonly(session.Handle, "main") != 0)
        {
            throw new StoreOpenException(SqliteFault.NoRights);
        }
    }

    // Write-ahead logging: readers do not wait for the writer, nor it for them (https://www.sqlite.org/wal.html).
    private static void EnterWalMode(SqliteSession session)
    {
        if (session.Scalar<string>("PRAGMA journal_mode = WAL") != "wal")
        {
            throw new StoreOpenException("its file system does not support write-ahead logging: name a file on a local disk");
        }
    }

    // SQLite itself counts the pages of the log instead, if there are any, and takes a part of a page for a whole one.
    private static void RefuseCutOff(string path, SqliteSession session)
    {
        // While it is open, nobody copies a later state over this one.
        using SqliteTransaction transaction = session.Begin(deferred: true);
        long size = session.Scalar<long>("PRAGMA page_count") * session.Scalar<long>("PRAGMA page_size");
        var log = new FileInfo(LogOf(path));
        if (new FileInfo(path).Length + (log.Exists ? log.Length : 0) < size)
        {
            throw new StoreOpenException("is damaged, as its end is missing: restore it from a backup");
        }
    }
}
