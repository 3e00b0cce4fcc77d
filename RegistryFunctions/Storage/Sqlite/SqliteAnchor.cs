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
    private long? _lastVersion;

    /// <summary>Takes over a session.</summary>
    public SqliteAnchor(SqliteSession session)
    {
        _session = session;
        _begin = session.Prepare("BEGIN");
        _read = session.Prepare("SELECT 1 FROM held_per_device");
        _commit = session.Prepare("COMMIT");
    }

    /// <summary>
    /// Moves on to the newest state. Call after every write, and now and then: the log can't start over while an older state is
    /// held. For the same reason nothing is held while another process writes.
    /// </summary>
    /// <param name="dataVersion">What "PRAGMA data_version" of the writer says: it changes when another process has written.</param>
    public void Renew(long dataVersion)
    {
        Release();
        if (dataVersion == (_lastVersion ?? dataVersion))
        {
            Hold();
        }

        _lastVersion = dataVersion;
    }

    /// <summary>Holds the newest state, unless one is held.</summary>
    public void Hold()
    {
        if (!_session.InTransaction)
        {
            _begin.Execute();
            _ = _read.QueryInt64();
        }
    }

    /// <summary>Holds nothing until the next renewal. Call before the log is copied to its end.</summary>
    public void Release()
    {
        if (_session.InTransaction)
        {
            _commit.Execute();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();
}
