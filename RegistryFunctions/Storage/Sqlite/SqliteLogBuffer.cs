using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// Gathers what a connection writes to the write-ahead log, and gives it to the system in one call. SQLite itself makes two
/// calls a page. Everything is given before the log is flushed, and so before anybody can see it: SQLite tells of a
/// transaction only once its part of the log is flushed, as long as <c>PRAGMA synchronous</c> is FULL.
/// </summary>
/// <remarks>
/// A file object of SQLite begins with a pointer to its methods (https://www.sqlite.org/c3ref/file.html). A copy of those,
/// with some replaced and followed by the buffer, takes their place until the file is closed.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SqliteLogBuffer
{
    // SQLite writes less than 128 KiB in one call, of more it would take the remainder.
    private const int Capacity = 120 * 1024;

    private SqliteFileMethods _methods;
    private SqliteFileMethods* _originals;
    private byte* _bytes;
    private int _length;
    private long _offset;

    /// <summary>Puts a buffer before the log of a connection that has read the database.</summary>
    /// <exception cref="SqliteException">The log can't be reached.</exception>
    public static void Install(SqliteConnection connection)
    {
        int code = SqliteFileObject.FindLog(connection, out SqliteFileObject* log);
        if (code != raw.SQLITE_OK || log->Methods is null)
        {
            throw new SqliteException("the write-ahead log can't be reached", code);
        }

        // With the bytes behind it, to be freed as one.
        var buffer = (SqliteLogBuffer*)NativeMemory.Alloc((nuint)(sizeof(SqliteLogBuffer) + Capacity));
        *buffer = new SqliteLogBuffer
        {
            _methods = *log->Methods with
            {
                Close = &Close,
                Read = &Read,
                Write = &Write,
                Truncate = &Truncate,
                Sync = &Sync,
                FileSize = &FileSize,
            },
            _originals = log->Methods,
            _bytes = (byte*)(buffer + 1),
        };
        log->Methods = &buffer->_methods;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Write(SqliteFileObject* log, byte* bytes, int count, long offset)
    {
        SqliteLogBuffer* buffer = Of(log);
        if (offset != buffer->_offset + buffer->_length || count > Capacity - buffer->_length)
        {
            int code = buffer->Empty(log);
            if (code != raw.SQLITE_OK || count > Capacity)
            {
                return code == raw.SQLITE_OK ? buffer->_originals->Write(log, bytes, count, offset) : code;
            }

            buffer->_offset = offset;
        }

        Unsafe.CopyBlockUnaligned(buffer->_bytes + buffer->_length, bytes, (uint)count);
        buffer->_length += count;
        return raw.SQLITE_OK;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Sync(SqliteFileObject* log, int flags)
    {
        int code = Of(log)->Empty(log);
        return code == raw.SQLITE_OK ? Of(log)->_originals->Sync(log, flags) : code;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Read(SqliteFileObject* log, byte* bytes, int count, long offset)
    {
        int code = Of(log)->Empty(log);
        return code == raw.SQLITE_OK ? Of(log)->_originals->Read(log, bytes, count, offset) : code;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Truncate(SqliteFileObject* log, long size)
    {
        int code = Of(log)->Empty(log);
        return code == raw.SQLITE_OK ? Of(log)->_originals->Truncate(log, size) : code;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int FileSize(SqliteFileObject* log, long* size)
    {
        int code = Of(log)->Empty(log);
        return code == raw.SQLITE_OK ? Of(log)->_originals->FileSize(log, size) : code;
    }

    // What is left is of no transaction: a commit flushes.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Close(SqliteFileObject* log)
    {
        SqliteLogBuffer* buffer = Of(log);
        log->Methods = buffer->_originals;
        NativeMemory.Free(buffer);
        return log->Methods->Close(log);
    }

    private static SqliteLogBuffer* Of(SqliteFileObject* log) => (SqliteLogBuffer*)log->Methods;

    // What can't be written is given up: SQLite, told so, undoes the transaction.
    private int Empty(SqliteFileObject* log)
    {
        int length = _length;
        _length = 0;
        return length == 0 ? raw.SQLITE_OK : _originals->Write(log, _bytes, length, _offset);
    }
}
