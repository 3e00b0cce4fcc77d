using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>What SQLite's errors mean (https://www.sqlite.org/rescode.html).</summary>
internal static class SqliteFault
{
    /// <summary>An extended result code has its primary one in its lowest byte.</summary>
    public const int PrimaryCode = 0xFF;

    /// <summary>What to do where the file can't be written.</summary>
    public const string NoRights =
        "can't be opened: let this user read and write the file, its folder, and any -wal and -shm beside it";

    // SQLite tells only the first from a failing disk, and that not everywhere. Numbers of Unix (errno).
    private const int NoSpace = 28;
    private const int FileTooLarge = 27;
    private static readonly int QuotaReached = OperatingSystem.IsLinux() ? 122 : 69;

    /// <summary>
    /// What a function of SQLite has just returned, for an input/output error its extended code, or SQLITE_FULL where it failed
    /// for want of room.
    /// </summary>
    /// <remarks>Belongs right after the call: it looks at the system's last error of this thread.</remarks>
    public static int CodeOf(sqlite3 connection, int returned)
    {
        int error = Marshal.GetLastSystemError();
        if ((returned & PrimaryCode) != raw.SQLITE_IOERR)
        {
            return returned;
        }

        int code = raw.sqlite3_extended_errcode(connection);
        // What a failed flush has lost is lost, whatever the cause.
        return code != raw.SQLITE_IOERR_FSYNC
            && !OperatingSystem.IsWindows()
            && (error == FileTooLarge || error == QuotaReached || error == NoSpace)
            ? raw.SQLITE_FULL
            : code;
    }

    /// <summary>One line that says what is wrong with a file and what to do, or null for a bug.</summary>
    public static string? Explain(Exception e) => e switch
    {
        StoreOpenException => e.Message,
        SqliteException { SqliteErrorCode: raw.SQLITE_NOTADB } => "is not a SQLite database: name another file",
        SqliteException { SqliteErrorCode: raw.SQLITE_CANTOPEN or raw.SQLITE_READONLY or raw.SQLITE_PERM } => NoRights,
        SqliteException { SqliteErrorCode: raw.SQLITE_BUSY or raw.SQLITE_LOCKED or raw.SQLITE_PROTOCOL } =>
            "is locked by another process: end that process, or name another file",
        SqliteException sqlite when Of(sqlite) == StoreFault.Full => "its disk is full: make room",
        SqliteException { SqliteErrorCode: raw.SQLITE_CORRUPT } => "is damaged: restore it from a backup",
        SqliteException { SqliteErrorCode: raw.SQLITE_IOERR } io =>
            $"its disk reports an input/output error (SQLite {io.SqliteExtendedErrorCode}): check the disk",
        _ => null,
    };

    /// <summary>What an error of SQLite says about the store, or null where it is about the statement alone.</summary>
    public static StoreFault? Of(SqliteException e) => e.SqliteErrorCode switch
    {
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED or raw.SQLITE_PROTOCOL => StoreFault.Busy,
        raw.SQLITE_FULL => StoreFault.Full,
        raw.SQLITE_IOERR when e.SqliteExtendedErrorCode == raw.SQLITE_IOERR_SHMSIZE => StoreFault.Full,
        raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => StoreFault.Damaged,
        raw.SQLITE_IOERR when e.SqliteExtendedErrorCode == raw.SQLITE_IOERR_READ => StoreFault.Damaged,
        raw.SQLITE_IOERR or raw.SQLITE_CANTOPEN or raw.SQLITE_READONLY or raw.SQLITE_NOMEM or raw.SQLITE_PERM =>
            StoreFault.Unavailable,
        _ => null,
    };

    /// <summary>The fault of the store that an error means, or null where it is about the statement alone, or a bug.</summary>
    public static StoreException? AsStoreException(Exception e) => e switch
    {
        StoreException fault => fault,
        SqliteException sqlite when Of(sqlite) is { } fault => new StoreException(fault, sqlite.Message, sqlite),
        _ => null,
    };
}
