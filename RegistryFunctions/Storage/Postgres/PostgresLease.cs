using Npgsql;

namespace RegistryFunctions.Storage.Postgres;

/// <summary>
/// Lets one instance of all do something at a time, by a row that says who and until when, by the database's clock. A holder
/// that dies is waited for until then. (Advisory locks of a session are not known to every database that speaks the protocol, nor
/// safe behind a connection pooler.)
/// </summary>
internal sealed class PostgresLease(NpgsqlDataSource database, string name)
{
    /// <summary>Its table, which is there before the others: they are made under a lease.</summary>
    public const string Table =
        "CREATE TABLE IF NOT EXISTS lease (name text PRIMARY KEY, holder text NOT NULL, until timestamptz NOT NULL)";

    private const string Take =
        $"""
        INSERT INTO lease (name, holder, until) VALUES ($1, $2, now() + interval '{PostgresTuning.Lease}')
        ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
        WHERE lease.until < now() OR lease.holder = excluded.holder
        """;

    private const string Release = "DELETE FROM lease WHERE name = $1 AND holder = $2";

    private readonly string _holder = Guid.NewGuid().ToString("N");

    /// <summary>Takes it or keeps it; false where another has it.</summary>
    public async Task<bool> TryTakeAsync() => await database.ExecuteAsync(Take, p => p.Text(name).Text(_holder)) > 0;

    /// <summary>Gives it back.</summary>
    public Task ReleaseAsync() => database.ExecuteAsync(Release, p => p.Text(name).Text(_holder));
}
