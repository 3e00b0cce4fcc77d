using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// Keeps a read transaction open on the newest state of the database. SQLite asks the system for a lock only for the first
/// reader of a process on a state, and counts the others itself: so no fetch pays for the two calls. Used only by the
/// writer's thread.
/// </summary>
internal sealed class SqliteAnchor : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly SqliteStatement _begin;
    private readonly SqliteStatement _read;
    private readonly SqliteStatement _commit;
    private readonly SqliteStatement _version;
    private long _lastVersion;

    /// <summary>Takes over a connection, and looks at the database through the writer's now and then.</summary>
    public SqliteAnchor(SqliteConnection connection, SqliteConnection writer)
    {
        _connection = connection;
        _begin = new SqliteStatement(connection, "BEGIN");
        _read = new SqliteStatement(connection, "SELECT 1 FROM held_per_device");
        _commit = new SqliteStatement(connection, "COMMIT");
        // Of the writer's connection it changes when another has written, which here is another process.
        _version = new SqliteStatement(writer, "PRAGMA data_version");
        _lastVersion = _version.QueryInt64();
    }

    /// <summary>
    /// Moves on to the newest state. Belongs after every write, and now and then: who writes can't begin the write-ahead log
    /// anew while an older state is held. For the same reason nothing is held while another process writes.
    /// </summary>
    public void Renew()
    {
        try
        {
            Release();
            long version = _version.QueryInt64();
            if (version == _lastVersion)
            {
                _begin.Execute();
                _ = _read.QueryInt64();
            }

            _lastVersion = version;
        }
        catch (SqliteException)
        {
            // Whoever fetches or publishes meets the fault too, and reports it.
        }
    }

    /// <summary>Holds nothing until the next renewal. Belongs before the log is copied to its end.</summary>
    public void Release()
    {
        if (raw.sqlite3_get_autocommit(_connection.Handle) == 0)
        {
            _commit.Execute();
        }
    }

    /// <summary>Closes the connection.</summary>
    public void Dispose()
    {
        _version.Dispose();
        _begin.Dispose();
        _read.Dispose();
        _commit.Dispose();
        _connection.Dispose();
    }
}
