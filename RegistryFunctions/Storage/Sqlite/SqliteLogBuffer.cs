using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// Gathers what a connection writes to the write-ahead log, and gives it to the system in one call. SQLite itself makes two
/// calls a page. Everything is given before the log is flushed, and so before anybody can see it: SQLite tells of a
/// transaction only once its part of the log is flushed, as long as <c>PRAGMA synchronous</c> is FULL. Not thread-safe.
/// </summary>
/// <remarks>
/// A file object of SQLite begins with a pointer to its methods (https://www.sqlite.org/c3ref/file.html). A copy of those,
/// with some replaced and followed by the buffer, takes their place until the file is closed.
/// </remarks>
internal sealed unsafe class SqliteLogBuffer
{
    // SQLite writes less than 128 KiB in one call, of more it would take the remainder.
    private const int Capacity = 120 * 1024;

    // SQLITE_IOCAP_POWERSAFE_OVERWRITE (https://www.sqlite.org/psow.html). Without it SQLite fills up the sector, part of
    // it after the flush.
    private const int OverwritesArePowerSafe = 0x1000;

    private readonly Buffer* _buffer;

    /// <summary>Puts a buffer before the log of a connection that has read the database, until that is closed.</summary>
    /// <exception cref="SqliteException">The log can't be reached.</exception>
    public SqliteLogBuffer(SqliteConnection connection)
    {
        SqliteFileObject* database = SqliteFileObject.FindDatabase(connection);
        if ((database->Methods->DeviceCharacteristics(database) & OverwritesArePowerSafe) != 0)
        {
            SqliteFileObject* log = SqliteFileObject.FindLog(connection);
            // With the bytes behind it, to be freed as one.
            _buffer = (Buffer*)NativeMemory.Alloc((nuint)(sizeof(Buffer) + Capacity));
            *_buffer = new Buffer(log->Methods);
            log->Methods = &_buffer->Methods;
        }
    }

    /// <summary>
    /// Gives up what was not flushed. Belongs before a transaction is undone: what is left of it must not reach the log once
    /// another process may write there.
    /// </summary>
    public void Discard()
    {
        if (_buffer is not null)
        {
            _buffer->Discard();
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Write(SqliteFileObject* log, byte* bytes, int count, long offset) =>
        BufferOf(log)->Write(log, bytes, count, offset);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Sync(SqliteFileObject* log, int flags)
    {
        int code = BufferOf(log)->Empty(log);
        return code == raw.SQLITE_OK ? BufferOf(log)->Originals->Sync(log, flags) : code;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Read(SqliteFileObject* log, byte* bytes, int count, long offset)
    {
        int code = BufferOf(log)->Empty(log);
        return code == raw.SQLITE_OK ? BufferOf(log)->Originals->Read(log, bytes, count, offset) : code;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Truncate(SqliteFileObject* log, long size)
    {
        int code = BufferOf(log)->Empty(log);
        return code == raw.SQLITE_OK ? BufferOf(log)->Originals->Truncate(log, size) : code;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int FileSize(SqliteFileObject* log, long* size)
    {
        int code = BufferOf(log)->Empty(log);
        return code == raw.SQLITE_OK ? BufferOf(log)->Originals->FileSize(log, size) : code;
    }

    // What is left is of no transaction: a commit flushes.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Close(SqliteFileObject* log)
    {
        Buffer* buffer = BufferOf(log);
        log->Methods = buffer->Originals;
        NativeMemory.Free(buffer);
        return log->Methods->Close(log);
    }

    private static Buffer* BufferOf(SqliteFileObject* log) => (Buffer*)log->Methods;

    [StructLayout(LayoutKind.Sequential)]
    private struct Buffer(SqliteFileMethods* originals)
    {
        // First, as SQLite takes the whole for its methods.
        public SqliteFileMethods Methods = *originals with
        {
            Close = &SqliteLogBuffer.Close,
            Read = &SqliteLogBuffer.Read,
            Write = &SqliteLogBuffer.Write,
            Truncate = &SqliteLogBuffer.Truncate,
            Sync = &SqliteLogBuffer.Sync,
            FileSize = &SqliteLogBuffer.FileSize,
        };

        public readonly SqliteFileMethods* Originals = originals;

        private int _length;
        private long _offset;
        private int _failure;

        public int Write(SqliteFileObject* log, byte* bytes, int count, long offset)
        {
            if (offset != _offset + _length || count > Capacity - _length)
            {
                int code = Empty(log);
                if (code != raw.SQLITE_OK || count > Capacity)
                {
                    return code == raw.SQLITE_OK ? Originals->Write(log, bytes, count, offset) : code;
                }

                _offset = offset;
            }

            Unsafe.CopyBlockUnaligned(Bytes() + _length, bytes, (uint)count);
            _length += count;
            return raw.SQLITE_OK;
        }

        // What could not be written is missing from the transaction, whatever else of it can be: all fails until it is undone.
        public int Empty(SqliteFileObject* log)
        {
            int length = _length;
            _length = 0;
            if (length > 0 && _failure == raw.SQLITE_OK)
            {
                _failure = Originals->Write(log, Bytes(), length, _offset);
            }

            return _failure;
        }

        public void Discard()
        {
            _length = 0;
            _failure = raw.SQLITE_OK;
        }

        private byte* Bytes() => (byte*)((Buffer*)Unsafe.AsPointer(ref this) + 1);
    }
}
