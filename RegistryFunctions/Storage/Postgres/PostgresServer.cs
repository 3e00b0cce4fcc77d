using System.Security.Cryptography;
using Npgsql;

namespace RegistryFunctions.Storage.Postgres;

/// <summary>The way to a database: a pool of connections that are fit for a registry.</summary>
internal static class PostgresServer
{
    private const string Fitness =
        $"""
        SELECT current_setting('fsync', true), current_setting('synchronous_commit', true),
            CASE current_setting('lock_timeout', true) WHEN '0' THEN set_config('lock_timeout', '{PostgresTuning.LockTimeout}', false) END
        """;

    /// <summary>Makes a pool for the database, and makes sure that it holds the tables of a registry.</summary>
    /// <param name="address">Where it is.</param>
    /// <param name="allowLossyCommits">Whether a server will do that loses what it has acknowledged when it crashes.</param>
    /// <param name="migrate">Whether to bring an older schema, or none, up to date.</param>
    /// <param name="prepare">What comes after that.</param>
    /// <exception cref="StoreOpenException">It can't be reached or written to, or its tables do not fit.</exception>
    public static Task<NpgsqlDataSource> OpenAsync(
        PostgresAddress address, bool allowLossyCommits, bool migrate, Func<NpgsqlDataSource, Task>? prepare = null) =>
        OpenAsync(address, allowLossyCommits, async database =>
        {
            await RefuseReadOnlyAsync(database);
            await PostgresSchema.FitAsync(database, PostgresSchema.Migrations, migrate);
            await (prepare?.Invoke(database) ?? Task.CompletedTask);
        });

    /// <summary>Makes a pool for a database that is only read, as a standby, and makes sure that it holds a registry.</summary>
    /// <exception cref="StoreOpenException">It can't be reached, or its tables do not fit.</exception>
    public static Task<NpgsqlDataSource> OpenForReadingAsync(PostgresAddress address) => OpenAsync(
        address,
        allowLossyCommits: true,
        database => PostgresSchema.FitAsync(database, PostgresSchema.Migrations, migrate: false));

    /// <summary>Makes a pool for the database, whether it can be reached or not.</summary>
    public static NpgsqlDataSource Pool(PostgresAddress address, bool allowLossyCommits)
    {
        var builder = new NpgsqlSlimDataSourceBuilder(address.ToConnectionString());
        builder.EnableTransportSecurity();
        if (address.Token is { } token)
        {
            builder.UsePeriodicPasswordProvider(
                (_, cancellationToken) => token(cancellationToken), PostgresTuning.TokenRefresh, PostgresTuning.TokenRetry);
        }

        // On every connection: after a failover it is another server.
        builder.UsePhysicalConnectionInitializer(
            connection => PrepareAsync(connection, allowLossyCommits).GetAwaiter().GetResult(),
            connection => PrepareAsync(connection, allowLossyCommits));
        return builder.Build();
    }

    private static async Task<NpgsqlDataSource> OpenAsync(
        PostgresAddress address, bool allowLossyCommits, Func<NpgsqlDataSource, Task> prepare)
    {
        NpgsqlDataSource? database = null;
        try
        {
            database = Pool(address, allowLossyCommits);
            await prepare(database);
            return database;
        }
        catch (Exception e) when (IsRefusal(e))
        {
            await (database?.DisposeAsync() ?? default);
            throw new StoreOpenException($"{address}: {PostgresFaults.Explain(e)}", e);
        }
    }

    // Besides what the server says: settings that do not go together, files of TLS that can't be used.
    private static bool IsRefusal(Exception e) =>
        e is StoreOpenException or ArgumentException or InvalidOperationException or NotSupportedException or CryptographicException
        || PostgresFaults.AsStoreException(e) is not null;

    private static async Task PrepareAsync(NpgsqlConnection connection, bool allowLossyCommits)
    {
        await using var command = new NpgsqlCommand(Fitness, connection);
        await using NpgsqlDataReader row = await command.ExecuteReaderAsync();
        await row.ReadAsync();
        if (!allowLossyCommits)
        {
            RefuseOff(row, 0, "fsync");
            RefuseOff(row, 1, "synchronous_commit");
        }
    }

    private static void RefuseOff(NpgsqlDataReader row, int column, string setting)
    {
        if (!row.IsDBNull(column) && row.GetString(column) == "off")
        {
            throw new StoreException(
                StoreFault.Unavailable,
                $"{setting} is off, so that a crash loses bundles that were acknowledged: turn it on, or accept that with --allow-lossy-commits");
        }
    }

    private static async Task RefuseReadOnlyAsync(NpgsqlDataSource database)
    {
        List<string> readOnly = await database.QueryAsync("SHOW transaction_read_only", _ => { }, row => row.GetString(0));
        if (readOnly is ["on"])
        {
            throw new StoreOpenException(
                "is read-only, as a standby is: name the primary, or all hosts and \"Target Session Attributes=read-write\"");
        }
    }
}
