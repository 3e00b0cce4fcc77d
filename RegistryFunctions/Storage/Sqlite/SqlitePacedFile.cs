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
internal sealed unsafe class SqlitePacedFile
{
    // In pages: written within a fraction of a millisecond.
    private const int Part = 64;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(1);

    private readonly State* _state;

    /// <summary>Paces what is written through a connection, until that is closed.</summary>
    /// <exception cref="SqliteException">The file can't be reached.</exception>
    public SqlitePacedFile(SqliteConnection connection)
    {
        SqliteFileObject* file = SqliteFileObject.FindDatabase(connection);
        _state = (State*)NativeMemory.Alloc((nuint)sizeof(State));
        *_state = new State(file->Methods);
        file->Methods = &_state->Methods;
    }

    /// <summary>Whether what is written is neither flushed nor waited for. Any thread may set it.</summary>
    public bool IsHurried
    {
        set => Volatile.Write(ref _state->IsHurried, value);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Write(SqliteFileObject* file, byte* bytes, int count, long offset)
    {
        State* state = StateOf(file);
        int code = state->Originals->Write(file, bytes, count, offset);
        if (code != raw.SQLITE_OK || Volatile.Read(ref state->IsHurried) || ++state->Unflushed < Part)
        {
            return code;
        }

        state->Unflushed = 0;
        code = SqliteFileObject.Flush(file);
        Thread.Sleep(Pause);
        return code;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Close(SqliteFileObject* file)
    {
        State* state = StateOf(file);
        file->Methods = state->Originals;
        NativeMemory.Free(state);
        return file->Methods->Close(file);
    }

    private static State* StateOf(SqliteFileObject* file) => (State*)file->Methods;

    [StructLayout(LayoutKind.Sequential)]
    private struct State(SqliteFileMethods* originals)
    {
        // First, as SQLite takes the whole for its methods.
        public SqliteFileMethods Methods = *originals with
        {
            Close = &SqlitePacedFile.Close,
            Write = &SqlitePacedFile.Write,
        };

        public readonly SqliteFileMethods* Originals = originals;

        public int Unflushed;
        public bool IsHurried;
    }
}
