using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// The header of a write-ahead log's index, which all processes that use the database share in memory
/// (https://www.sqlite.org/walformat.html, section 2.1). Valid until the connection is closed.
/// </summary>
internal readonly unsafe struct WalIndex
{
    private const int RegionBytes = 32 * 1024;

    private readonly Header* _headers;

    /// <summary>Finds the header through a connection that has read the database.</summary>
    /// <exception cref="SqliteException">The header can't be had.</exception>
    public WalIndex(SqliteConnection connection) =>
        _headers = (Header*)SqliteFileObject.MapLogIndex(connection, RegionBytes);

    /// <summary>A number that is another after every commit, whichever process commits.</summary>
    public long State => Volatile.Read(ref _headers[0].Checksum);

    /// <summary>Reads the state, and how many commits there were before it; false while a commit changes them.</summary>
    public bool TryRead(out long state, out uint commits)
    {
        // The second copy is written first (https://www.sqlite.org/walformat.html, section 2.1.1).
        Header first = _headers[0];
        Interlocked.MemoryBarrier();
        Header second = _headers[1];
        state = first.Checksum;
        commits = first.Commits;
        return MemoryMarshal.AsBytes(new ReadOnlySpan<Header>(in first))
            .SequenceEqual(MemoryMarshal.AsBytes(new ReadOnlySpan<Header>(in second)));
    }

    [StructLayout(LayoutKind.Explicit, Size = 48)]
    private struct Header
    {
        [FieldOffset(8)]
        public uint Commits;

        [FieldOffset(40)]
        public long Checksum;
    }
}
