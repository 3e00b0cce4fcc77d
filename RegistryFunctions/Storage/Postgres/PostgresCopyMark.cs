using Npgsql;

namespace RegistryFunctions.Storage.Postgres;

/// <summary>
/// Says of a database that it is another registry's copy, in the columns of <c>registry</c>. The first server that opens it ends
/// that.
/// </summary>
internal static class PostgresCopyMark
{
    private const string Begin =
        """
        UPDATE registry SET copy_of = $1, copy_is_complete = false
        WHERE copy_of = $1 OR (copy_of IS NULL AND held_at_most = 0 AND NOT EXISTS (SELECT 1 FROM device))
        """;

    private const string Complete = "UPDATE registry SET held_at_most = $1, copy_is_complete = true WHERE copy_of IS NOT NULL";

    /// <summary>Begins a copy, or goes on with one of the same source.</summary>
    /// <exception cref="StoreOpenException">The database holds something else.</exception>
    public static async Task BeginAsync(NpgsqlDataSource database, string source)
    {
        if (await database.ExecuteAsync(Begin, p => p.Text(source)) == 0)
        {
            (string? other, _) = await ReadAsync(database);
            throw new StoreOpenException(
                $"{(other is null ? "holds a registry" : $"is a copy of {other}")}: copy to a database, or a schema (Search Path), of its own");
        }
    }

    /// <summary>Makes sure that no server has opened the database, nor does before the transaction ends.</summary>
    /// <exception cref="StoreException">One has.</exception>
    public static async Task RefuseServedAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand("SELECT 1 FROM registry WHERE copy_of IS NOT NULL FOR SHARE", connection);
        if (await command.ExecuteScalarAsync() is null)
        {
            throw Served();
        }
    }

    /// <summary>Lets servers open the copy.</summary>
    /// <param name="database">The copy.</param>
    /// <param name="held">No device holds more bundles than this.</param>
    /// <exception cref="StoreException">One has already.</exception>
    public static async Task CompleteAsync(NpgsqlDataSource database, int held)
    {
        if (await database.ExecuteAsync(Complete, p => p.Int32(held)) == 0)
        {
            throw Served();
        }
    }

    /// <summary>Ends that the database is a copy, as a server is about to use it.</summary>
    /// <exception cref="StoreOpenException">The copy is not complete.</exception>
    public static async Task BeginServingAsync(NpgsqlDataSource database)
    {
        switch (await ReadAsync(database))
        {
            case (not null, false):
                throw new StoreOpenException("is a copy that is not complete: run RegistryFunctions copy again");
            case (not null, true):
                await database.ExecuteAsync("UPDATE registry SET copy_of = NULL WHERE copy_is_complete");
                break;
        }
    }

    private static StoreException Served() =>
        new(StoreFault.Unavailable, "a server was started on the target: what it holds is no copy any more");

    private static async Task<(string? Source, bool IsComplete)> ReadAsync(NpgsqlDataSource database) => (await database.QueryAsync(
        "SELECT copy_of, copy_is_complete FROM registry WHERE one = 1",
        _ => { },
        row => (row.IsDBNull(0) ? null : row.GetString(0), row.GetBoolean(1))))[0];
}
