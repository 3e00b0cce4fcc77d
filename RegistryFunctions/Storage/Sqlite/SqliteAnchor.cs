using Microsoft.Data.Sqlite;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// Keeps a read transaction open on the newest state of the database. SQLite asks the system for a lock only for the first
/// reader of a process on a state, and counts the others itself: so no fetch pays for the two calls. Used only by the
/// writer's thread.
/// </summary>
internal sealed class SqliteAnchor : IDisposable
{
    private readonly SqliteSession _session;
    private readonly SqliteStatement _begin;
    private readonly SqliteStatement _read;
    private readonly SqliteStatement _commit;
    private readonly SqliteStatement _version;
    private long _lastVersion;

    /// <summary>Takes over a session, and looks at the database through the writer's now and then.</summary>
    public SqliteAnchor(SqliteSession session, SqliteSession writer)
    {
        _session = session;
        _begin = session.Prepare("BEGIN");
        _read = session.Prepare("SELECT 1 FROM held_per_device");
        _commit = session.Prepare("COMMIT");
        // Of the writer's connection it changes when another has written, which here is another process.
        _version = writer.Prepare("PRAGMA data_version");
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
        if (_session.InTransaction)
        {
            _commit.Execute();
        }
    }

    /// <summary>Closes the session.</summary>
    public void Dispose() => _session.Dispose();
}
