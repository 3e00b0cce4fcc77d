using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// Notices that the database file was overwritten in place, as "cp" does it, from its length and its header
/// (https://www.sqlite.org/fileformat.html#the_database_header). SQLite itself does not look: in write-ahead mode it takes the
/// file for what was copied into it.
/// </summary>
/// <remarks>
/// The file stays open, since closing it releases SQLite's locks on it
/// (https://www.sqlite.org/howtocorrupt.html, section 2.2): dispose this last.
/// </remarks>
internal sealed class OverwriteWatch : IDisposable
{
    private const int HeaderSize = 100;
    private const int ChangeCounterAt = 24;
    private const int PageCountAt = 28;
    private const int AutoVacuumAt = 52;

    private readonly SafeFileHandle _file;
    private readonly byte[] _first = new byte[HeaderSize];
    private readonly long _firstVersion;
    // Whether all that changes the file is known: it only grows, and with each commit the counter by one at most.
    private bool _isAlone;
    private uint _maxCounter;
    private long _maxPages;
    private uint _counter;
    private uint _pages;
    private long _length;

    /// <summary>Begins to watch.</summary>
    /// <param name="path">The file of a registry that is open for writing.</param>
    /// <param name="isWhole">Whether all of the write-ahead log is copied into it.</param>
    /// <param name="dataVersion">What "PRAGMA data_version" said before, on the connection that writes.</param>
    public OverwriteWatch(string path, bool isWhole, long dataVersion)
    {
        // Not with the lock that the framework would put on it.
        _file = OperatingSystem.IsLinux()
            ? UnixFile.Open(path)
            : File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
        if (_file.IsInvalid)
        {
            throw new IOException("can't be opened once more");
        }

        RandomAccess.Read(_file, _first, fileOffset: 0);
        (_counter, _pages, _firstVersion) = (NumberAt(ChangeCounterAt, _first), NumberAt(PageCountAt, _first), dataVersion);
        (_maxCounter, _maxPages) = (_counter, _pages);
        _isAlone = isWhole && NumberAt(AutoVacuumAt, _first) == 0;
    }

    /// <summary>Whether the file was overwritten; false where that does not show. Belongs before every commit.</summary>
    /// <param name="dataVersion">What "PRAGMA data_version" says, which changes when another connection has written.</param>
    /// <param name="pageCount">What "PRAGMA page_count" says.</param>
    public bool WasOverwritten(long dataVersion, long pageCount)
    {
        _isAlone &= dataVersion == _firstVersion;
        _maxCounter++;
        _maxPages = pageCount;
        return !Look();
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static uint NumberAt(int offset, ReadOnlySpan<byte> header) => BinaryPrimitives.ReadUInt32BigEndian(header[offset..]);

    private bool Look()
    {
        Span<byte> header = stackalloc byte[HeaderSize];
        if (RandomAccess.Read(_file, header, fileOffset: 0) < HeaderSize || !header.StartsWith(_first.AsSpan(0, ChangeCounterAt)))
        {
            return false;
        }

        // Whoever changes the first page raises the counter, or leaves it where the change before was its own as well.
        uint counter = NumberAt(ChangeCounterAt, header);
        uint pages = NumberAt(PageCountAt, header);
        long length = RandomAccess.GetLength(_file);
        // Others may shrink the file, and a checkpoint of theirs changes header and length one after the other.
        bool isPossible = counter >= _counter
            && (!_isAlone || (counter <= _maxCounter && pages >= _pages && pages <= _maxPages && length >= _length));
        if (isPossible)
        {
            (_counter, _pages, _length) = (counter, pages, length);
        }

        return isPossible;
    }
}
