using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// Flushes what a connection writes to the database file in small parts with pauses in between. A disk that is given
/// thousands of pages at once lets all other flushes wait until it has written them.
/// </summary>
/// <remarks>Takes the place of the methods of SQLite's file object, like <see cref="SqliteLogBuffer"/>.</remarks>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SqlitePacedFile
{
    // In pages: written within a fraction of a millisecond.
    private const int Part = 64;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(1);

    private SqliteFileMethods _methods;
    private SqliteFileMethods* _originals;
    private int _unflushed;

    /// <summary>Paces what is written through a connection.</summary>
    /// <exception cref="SqliteException">The file can't be reached.</exception>
    public static void Install(SqliteConnection connection)
    {
        int code = SqliteFileObject.FindDatabase(connection, out SqliteFileObject* file);
        if (code != raw.SQLITE_OK || file->Methods is null)
        {
            throw new SqliteException("the database file can't be reached", code);
        }

        var paced = (SqlitePacedFile*)NativeMemory.Alloc((nuint)sizeof(SqlitePacedFile));
        *paced = new SqlitePacedFile
        {
            _methods = *file->Methods with { Close = &Close, Write = &Write },
            _originals = file->Methods,
        };
        file->Methods = &paced->_methods;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Write(SqliteFileObject* file, byte* bytes, int count, long offset)
    {
        SqlitePacedFile* paced = Of(file);
        int code = paced->_originals->Write(file, bytes, count, offset);
        if (code == raw.SQLITE_OK && ++paced->_unflushed == Part)
        {
            paced->_unflushed = 0;
            code = SqliteFileObject.Flush(file);
            Thread.Sleep(Pause);
        }

        return code;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Close(SqliteFileObject* file)
    {
        SqlitePacedFile* paced = Of(file);
        file->Methods = paced->_originals;
        NativeMemory.Free(paced);
        return file->Methods->Close(file);
    }

    private static SqlitePacedFile* Of(SqliteFileObject* file) => (SqlitePacedFile*)file->Methods;
}
