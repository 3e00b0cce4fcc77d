using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>The database file: where it may lie, how it is opened, and what its errors mean.</summary>
internal static class SqliteFile
{
    // SQLite waits this long for another process's lock before it gives up with SQLITE_BUSY.
    private const int BusyTimeoutMs = 5_000;

    // Holds ten thousand bundles, or the inner pages of the trees of millions.
    private const int ReaderCacheKiB = 12 * 1024;

    /// <summary>
    /// Opens the file for writing, creating it and its parent folders where missing, and brings it to the
    /// newest schema.
    /// </summary>
    /// <exception cref="StoreOpenException">The path can't hold a database; the message says why and what to do.</exception>
    public static SqliteConnection OpenForWriting(string path, IReadOnlyList<string> migrations)
    {
        SqliteConnection? connection = null;
        try
        {
            PrepareFolder(path);
            connection = Open(path, SqliteOpenMode.ReadWriteCreate);
            SqliteSchema.RefuseForeign(connection, migrations);
            EnterWalMode(connection);
            SqliteSchema.Migrate(connection, migrations);
            // Not at a commit: see SqliteCheckpointer.
            connection.Execute("PRAGMA wal_autocheckpoint = 0");
            return connection;
        }
        catch (Exception e) when (Explain(e) is { } reason)
        {
            connection?.Dispose();
            throw new StoreOpenException($"{path}: {reason}", e);
        }
    }

    /// <summary>Opens the file, which must exist, for copying the write-ahead log into it.</summary>
    public static SqliteConnection OpenForCheckpoints(string path) => Open(path, SqliteOpenMode.ReadWrite);

    /// <summary>Opens the file, which must exist, for reading.</summary>
    public static SqliteConnection OpenForReading(string path)
    {
        // Not SqliteOpenMode.ReadOnly: readers of a WAL database write to its shared-memory index.
        SqliteConnection connection = Open(path, SqliteOpenMode.ReadWrite);
        connection.Execute("PRAGMA query_only = ON");
        connection.Execute($"PRAGMA cache_size = -{ReaderCacheKiB}");
        return connection;
    }

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

    private static SqliteConnection Open(string path, SqliteOpenMode mode)
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
            connection.Execute("PRAGMA synchronous = FULL");
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

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
        if (Directory.Exists(path))
        {
            throw new StoreOpenException("is a folder: name a file in it");
        }

        string folder = Path.GetDirectoryName(path)!;
        Directory.CreateDirectory(folder);
        if (IsOnNetworkDrive(folder))
        {
            throw new StoreOpenException("is on a network file system, where SQLite loses data: name a file on a local disk");
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

    // One line that says what is wrong with the path and what to do, or null for a bug.
    private static string? Explain(Exception e) => e switch
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
}
