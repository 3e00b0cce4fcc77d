using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// Has the operating system write a database file to the disk, through SQLite's own file object: a second handle on the
/// file would give up SQLite's locks when closed (https://www.sqlite.org/howtocorrupt.html, section 2.2).
/// </summary>
internal static unsafe partial class SqliteFlush
{
    private const int FileControlFilePointer = 7;
    private const int SyncNormal = 2;

    // A file object begins with a pointer to its methods (https://www.sqlite.org/c3ref/file.html), and these with a
    // version, as wide as a pointer with its padding, xClose, xRead, xWrite, xTruncate and xSync
    // (https://www.sqlite.org/c3ref/io_methods.html).
    private const int XSync = 5;

    /// <summary>Returns once all that was written to the file so far is on the disk, with SQLite's result code.</summary>
    public static int Flush(SqliteConnection connection)
    {
        int code = FileControl(connection.Handle!, "main", FileControlFilePointer, out void*** file);
        if (code != raw.SQLITE_OK)
        {
            return code;
        }

        var sync = (delegate* unmanaged[Cdecl]<void***, int, int>)(*file)[XSync];
        return sync(file, SyncNormal);
    }

    [LibraryImport("e_sqlite3", EntryPoint = "sqlite3_file_control", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int FileControl(sqlite3 connection, string database, int operation, out void*** file);
}
