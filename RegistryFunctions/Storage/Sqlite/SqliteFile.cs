using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>The database file: where it may lie, how it is opened, and what its errors mean.</summary>
internal static class SqliteFile
{
    // SQLite waits this long for another process's lock before it gives up with SQLITE_BUSY.
    private const int BusyTimeoutMs = 5_000;

    // Of all readers that are kept. A reader's share on two cores holds the inner pages of both trees of two million bundles.
    private const int ReaderCachesKiB = 36 * 1024;

    /// <summary>An extended result code has its primary one in its lowest byte (https://www.sqlite.org/rescode.html).</summary>
    public const int PrimaryCode = 0xFF;

    /// <summary>
    /// Opens the file for writing, creating it and its parent folders where missing, and brings it to the
    /// newest schema.
    /// </summary>
    /// <exception cref="StoreOpenException">The path can't hold a database; the message says why and what to do.</exception>
    public static SqliteConnection OpenForWriting(string path, IReadOnlyList<string> migrations) => OpenOrRefuse(
        path,
        () =>
        {
            PrepareFolder(path);
            return Open(path, SqliteOpenMode.ReadWriteCreate);
        },
        connection =>
        {
            SqliteSchema.RefuseForeign(connection, migrations);
            EnterWalMode(connection);
            SqliteSchema.Migrate(connection, migrations);
            // Not at a commit: see SqliteCheckpointer.
            connection.Execute("PRAGMA wal_autocheckpoint = 0");
        });

    /// <summary>Opens the file, which must exist, for copying the write-ahead log into it.</summary>
    public static SqliteConnection OpenForCheckpoints(string path) => Open(path, SqliteOpenMode.ReadWrite);

    /// <summary>Opens the file, which must exist, for reading.</summary>
    public static SqliteConnection OpenForReading(string path)
    {
        // Not SqliteOpenMode.ReadOnly: readers of a WAL database write to its shared-memory index.
        SqliteConnection connection = Open(path, SqliteOpenMode.ReadWrite);
        connection.Execute("PRAGMA query_only = ON");
        connection.Execute($"PRAGMA cache_size = -{ReaderCachesKiB / SqliteReader.MostIdle}");
        return connection;
    }

    /// <summary>Opens the file of a registry, which must exist, for backing it up.</summary>
    /// <exception cref="StoreOpenException">There is no such file, or it is no registry's.</exception>
    public static SqliteConnection OpenForBackup(string path, IReadOnlyList<string> migrations) => OpenOrRefuse(
        path,
        () =>
        {
            RefuseMissing(path);
            return OpenForReading(path);
        },
        connection => SqliteSchema.RefuseAllButRegistry(connection, migrations));

    /// <summary>Opens an empty file that nobody else uses yet, to fill it with a copy of a database.</summary>
    /// <remarks>
    /// A copy that fails is thrown away, and one that succeeds is flushed, each as a whole. As nobody else uses it, there is
    /// nobody to lock out, which a network drive may not be able to.
    /// </remarks>
    public static SqliteConnection OpenForCopy(string path) => Connect(
        UriOf(path, "nolock=1"), SqliteOpenMode.ReadWrite, "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF");

    /// <summary>
    /// Opens the file of a registry for checking it, in use or not, damaged or not, and neither changes it nor puts files
    /// beside it.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="migrations">The schema.</param>
    /// <param name="inUse">Whether the file has a write-ahead log, so that others may change it meanwhile.</param>
    /// <exception cref="StoreOpenException">There is no such file, or it is no registry's.</exception>
    public static SqliteConnection OpenForCheck(string path, IReadOnlyList<string> migrations, out bool inUse)
    {
        bool hasLog = inUse = HasLog(path);
        return OpenOrRefuse(
            path,
            () =>
            {
                RefuseMissing(path);
                if (hasLog && !File.Exists($"{path}-shm"))
                {
                    throw new StoreOpenException(
                        "has its -wal file beside it, but not its -shm: copy all three, or better use the backup command");
                }

                // Without a log all is in the one file. Even a reader would begin a log, unless told that none is needed.
                return Connect(hasLog ? path : UriOf(path, "immutable=1"), SqliteOpenMode.ReadOnly);
            },
            connection =>
            {
                // Lets SQLite read a file that is shorter than it says (https://www.sqlite.org/pragma.html#pragma_writable_schema).
                connection.Execute("PRAGMA writable_schema = ON");
                SqliteSchema.RefuseAllButRegistry(connection, migrations);
            });
    }

    /// <summary>Whether there is a write-ahead log beside the file.</summary>
    public static bool HasLog(string path) => File.Exists(LogOf(path));

    /// <summary>The write-ahead log beside a file.</summary>
    public static string LogOf(string path) => $"{path}-wal";

    /// <summary>One line that says what is wrong with a file and what to do, or null for a bug.</summary>
    public static string? Explain(Exception e) => e switch
    {
        StoreOpenException => e.Message,
        UnauthorizedAccessException => "no right to create its folder: name a file in a folder this user can write to",
        IOException => "its folder can't be created: name a file in a folder this user can write to",
        SqliteException { SqliteErrorCode: raw.SQLITE_NOTADB } => "is not a SQLite database: name another file",
        SqliteException { SqliteErrorCode: raw.SQLITE_CANTOPEN or raw.SQLITE_READONLY or raw.SQLITE_PERM } =>
            "can't be opened for writing: name a file this user can write to, in a folder this user can write to",
        SqliteException { SqliteErrorCode: raw.SQLITE_BUSY or raw.SQLITE_LOCKED } =>
            "is locked by another process: end that process, or name another file",
        SqliteException { SqliteErrorCode: raw.SQLITE_FULL } => "its disk is full: make room",
        SqliteException { SqliteErrorCode: raw.SQLITE_CORRUPT } => "is damaged: restore it from a backup",
        SqliteException { SqliteErrorCode: raw.SQLITE_IOERR } io =>
            $"its disk reports an input/output error (SQLite {io.SqliteExtendedErrorCode}): check the disk",
        _ => null,
    };

    /// <summary>What an error of SQLite says about the store, or null where it is about the statement alone.</summary>
    public static StoreFault? FaultOf(SqliteException e) => e.SqliteErrorCode switch
    {
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED => StoreFault.Busy,
        raw.SQLITE_FULL => StoreFault.Full,
        raw.SQLITE_IOERR or raw.SQLITE_CORRUPT or raw.SQLITE_CANTOPEN or raw.SQLITE_READONLY or raw.SQLITE_NOTADB
            or raw.SQLITE_NOMEM or raw.SQLITE_PERM => StoreFault.Unavailable,
        _ => null,
    };

    /// <summary>
    /// Whether SQLite's locks and shared memory are known not to work on such a file system. By its name: the framework
    /// counts some local ones as network drives.
    /// </summary>
    public static bool IsNetworkFileSystem(string format) =>
        format is "nfs" or "nfs4" or "cifs" or "smb" or "smb2" or "smb3" or "smbfs" or "afs" or "coda" or "ncp" or "ncpfs";

    // Every connection here has one user at a time, so SQLite need not lock each call
    // (https://www.sqlite.org/threadsafe.html), nor count its memory. Takes effect before the first connection only.
    static SqliteFile()
    {
        Batteries_V2.Init();
        raw.sqlite3_config(raw.SQLITE_CONFIG_MULTITHREAD);
        raw.sqlite3_config(raw.SQLITE_CONFIG_MEMSTATUS, 0);
    }

    private static SqliteConnection OpenOrRefuse(string path, Func<SqliteConnection> open, Action<SqliteConnection> prepare)
    {
        SqliteConnection? connection = null;
        try
        {
            connection = open();
            prepare(connection);
            return connection;
        }
        catch (Exception e) when (Explain(e) is { } reason)
        {
            connection?.Dispose();
            throw new StoreOpenException($"{path}: {reason}", e);
        }
    }

    private static SqliteConnection Open(string path, SqliteOpenMode mode) =>
        Connect(path, mode, "PRAGMA synchronous = FULL");

    private static SqliteConnection Connect(string path, SqliteOpenMode mode, params ReadOnlySpan<string> pragmas)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = mode,
            Pooling = false,
            // SQLite's own busy timeout does the waiting; the least that is not "for ever" here.
            DefaultTimeout = 1,
        }.ToString());
        try
        {
            connection.Open();
            connection.Execute($"PRAGMA busy_timeout = {BusyTimeoutMs}");
            foreach (string pragma in pragmas)
            {
                connection.Execute(pragma);
            }

            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    // A path as SQLite's parameters need it (https://www.sqlite.org/uri.html).
    private static string UriOf(string path, string parameter) =>
        $"file:{string.Join('/', path.Split('/').Select(Uri.EscapeDataString))}?{parameter}";

    // Write-ahead logging: readers do not wait for the writer, nor it for them (https://www.sqlite.org/wal.html).
    private static void EnterWalMode(SqliteConnection connection)
    {
        if (connection.Scalar<string>("PRAGMA journal_mode = WAL") != "wal")
        {
            throw new StoreOpenException("its file system does not support write-ahead logging: name a file on a local disk");
        }
    }

    private static void PrepareFolder(string path)
    {
        RefuseFolder(path);
        string folder = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(folder);
        if (IsOnNetworkDrive(folder))
        {
            throw new StoreOpenException("is on a network file system, where SQLite loses data: name a file on a local disk");
        }
    }

    private static void RefuseMissing(string path)
    {
        RefuseFolder(path);
        if (!File.Exists(path))
        {
            throw new StoreOpenException("there is no such file: name the file of a registry");
        }
    }

    private static void RefuseFolder(string path)
    {
        if (Directory.Exists(path))
        {
            throw new StoreOpenException("is a folder: name a file in it");
        }
    }

    private static bool IsOnNetworkDrive(string folder)
    {
        if (folder.StartsWith(@"\\", StringComparison.Ordinal))
        {
            return true;
        }

        return IsNetworkFileSystem(new DriveInfo(folder).DriveFormat);
    }
}
