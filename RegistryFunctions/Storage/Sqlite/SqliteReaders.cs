using Microsoft.Data.Sqlite;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>Keeps connections that fetch, to be used by one caller at a time. Thread-safe.</summary>
/// <remarks>Not the framework's pool, which knows no processors: with it 4 % fewer fetches are answered.</remarks>
internal sealed class SqliteReaders(string path) : IDisposable
{
    private readonly SqliteReader?[] _idle = new SqliteReader?[SqliteReader.MostIdle];
    private volatile bool _closed;

    /// <summary>A connection that nobody uses, or a new one.</summary>
    public SqliteReader Take()
    {
        // Mostly the one that this processor has used before: what it has read is in the processor's cache.
        int first = Thread.GetCurrentProcessorId();
        for (int i = 0; i < _idle.Length; i++)
        {
            if (Interlocked.Exchange(ref _idle[(first + i) % _idle.Length], null) is { } reader)
            {
                return reader;
            }
        }

        ObjectDisposedException.ThrowIf(_closed, this);
        return Open();
    }

    /// <summary>Gives a connection back that works.</summary>
    public void Return(SqliteReader reader)
    {
        int first = Thread.GetCurrentProcessorId();
        for (int i = 0; i < _idle.Length; i++)
        {
            if (Interlocked.CompareExchange(ref _idle[(first + i) % _idle.Length], reader, null) is null)
            {
                if (_closed)
                {
                    Dispose();
                }

                return;
            }
        }

        reader.Dispose();
    }

    /// <summary>Closes all connections, those in use when they are given back.</summary>
    public void Dispose()
    {
        _closed = true;
        for (int i = 0; i < _idle.Length; i++)
        {
            Interlocked.Exchange(ref _idle[i], null)?.Dispose();
        }
    }

    private SqliteReader Open()
    {
        SqliteConnection connection = SqliteFile.OpenForReading(path);
        try
        {
            return new SqliteReader(connection);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }
}
