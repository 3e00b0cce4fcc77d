using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// SQLite's own object for an open file of a connection (https://www.sqlite.org/c3ref/file.html), for what its statements
/// can't do. A second handle on the file would give up SQLite's locks when closed
/// (https://www.sqlite.org/howtocorrupt.html, section 2.2). Each call returns SQLite's result code.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe partial struct SqliteFileObject
{
    // https://www.sqlite.org/c3ref/c_fcntl_begin_atomic_write.html
    private const int FilePointer = 7;
    private const int JournalPointer = 28;

    private const int SyncNormal = 2;

    /// <summary>What the object begins with; null while the file is not open.</summary>
    public SqliteFileMethods* Methods;

    /// <summary>Returns once all that was written to the database file so far is on the disk.</summary>
    public static int Flush(SqliteConnection connection)
    {
        int code = FindDatabase(connection, out SqliteFileObject* file);
        return code == raw.SQLITE_OK ? Flush(file) : code;
    }

    /// <summary>Returns once all that was written to the file so far is on the disk.</summary>
    public static int Flush(SqliteFileObject* file) => file->Methods->Sync(file, SyncNormal);

    /// <summary>
    /// Finds the first bytes of the write-ahead log's index, which all processes that use the database share; null where
    /// there is none yet. They stay in place until the connection is closed.
    /// </summary>
    public static int MapLogIndex(SqliteConnection connection, int bytes, out void* region)
    {
        void* mapped = null;
        int code = FindDatabase(connection, out SqliteFileObject* file);
        if (code == raw.SQLITE_OK)
        {
            code = file->Methods->MapShared(file, 0, bytes, 0, &mapped);
        }

        region = mapped;
        return code;
    }

    /// <summary>Finds the database file.</summary>
    public static int FindDatabase(SqliteConnection connection, out SqliteFileObject* file) =>
        Find(connection, FilePointer, out file);

    /// <summary>Finds the write-ahead log, which is open once the connection has read the database.</summary>
    public static int FindLog(SqliteConnection connection, out SqliteFileObject* log) =>
        Find(connection, JournalPointer, out log);

    private static int Find(SqliteConnection connection, int which, out SqliteFileObject* file) =>
        FileControl(connection.Handle!, "main", which, out file);

    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_file_control", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int FileControl(
        sqlite3 connection, string database, int operation, out SqliteFileObject* file);
}
