using System.Runtime.InteropServices;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// SQLite's methods of an open file, all of version 3 (https://www.sqlite.org/c3ref/io_methods.html). Those with a type are
/// used here; each but <see cref="DeviceCharacteristics"/>, which are flags, returns SQLite's result code.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SqliteFileMethods
{
    public int Version;
    public delegate* unmanaged[Cdecl]<SqliteFileObject*, int> Close;
    public delegate* unmanaged[Cdecl]<SqliteFileObject*, byte*, int, long, int> Read;
    public delegate* unmanaged[Cdecl]<SqliteFileObject*, byte*, int, long, int> Write;
    public delegate* unmanaged[Cdecl]<SqliteFileObject*, long, int> Truncate;
    public delegate* unmanaged[Cdecl]<SqliteFileObject*, int, int> Sync;
    public delegate* unmanaged[Cdecl]<SqliteFileObject*, long*, int> FileSize;
    public nint Lock;
    public nint Unlock;
    public nint CheckReservedLock;
    public nint FileControl;
    public nint SectorSize;
    public delegate* unmanaged[Cdecl]<SqliteFileObject*, int> DeviceCharacteristics;
    public delegate* unmanaged[Cdecl]<SqliteFileObject*, int, int, int, void**, int> MapShared;
    public nint LockShared;
    public nint SharedBarrier;
    public nint UnmapShared;
    public nint Fetch;
    public nint Unfetch;
}
