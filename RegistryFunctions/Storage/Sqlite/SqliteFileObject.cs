using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// SQLite's own object for an open file of a connection (https://www.sqlite.org/c3ref/file.html), for what its statements
/// can't do. A second handle on the file would give up SQLite's locks when closed
/// (https://www.sqlite.org/howtocorrupt.html, section 2.2).
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

    /// <summary>Finds the database file.</summary>
    /// <exception cref="SqliteException">It is not open.</exception>
    public static SqliteFileObject* FindDatabase(SqliteConnection connection) => Find(connection, FilePointer);

    /// <summary>Finds the write-ahead log, which is open once the connection has read the database.</summary>
    /// <exception cref="SqliteException">It is not open.</exception>
    public static SqliteFileObject* FindLog(SqliteConnection connection) => Find(connection, JournalPointer);

    /// <summary>Returns once all that was written to the file so far is on the disk, with SQLite's result code.</summary>
    public static int Flush(SqliteFileObject* file) => file->Methods->Sync(file, SyncNormal);

    /// <summary>
    /// Finds the first bytes of the write-ahead log's index, which all processes that use the database share. They stay in
    /// place until the connection is closed.
    /// </summary>
    /// <exception cref="SqliteException">There is none yet.</exception>
    public static void* MapLogIndex(SqliteConnection connection, int bytes)
    {
        SqliteFileObject* database = FindDatabase(connection);
        void* region = null;
        int code = database->Methods->MapShared(database, 0, bytes, 0, &region);
        return region is not null ? region : throw new SqliteException("the index of the log can't be reached", code);
    }

    private static SqliteFileObject* Find(SqliteConnection connection, int which)
    {
        int code = FileControl(connection.Handle!, "main", which, out SqliteFileObject* file);
        return code == raw.SQLITE_OK && file->Methods is not null
            ? file
            : throw new SqliteException("the database file or its log can't be reached", code);
    }

    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_file_control", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int FileControl(
        sqlite3 connection, string database, int operation, out SqliteFileObject* file);
}
