using RegistryFunctions.Settings;
using RegistryFunctions.Storage.Postgres;

namespace RegistryFunctions.Commands;

/// <summary>Brings the schema of a PostgreSQL database up to date.</summary>
internal static class Migrate
{
    /// <summary>Migrates the database, says what it is then, and returns the exit code.</summary>
    /// <exception cref="SettingException">It is a file.</exception>
    public static int Run(RegistryOptions options)
    {
        PostgresAddress address = PostgresAddress.Of(options.Db, options.DbPassword)
            ?? throw new SettingException("db: must be the URL of a PostgreSQL database: a file of SQLite is migrated by the server that opens it");
        // It writes no bundles.
        PostgresServer.OpenAsync(address, allowLossyCommits: true, migrate: true).GetAwaiter().GetResult().Dispose();
        Console.WriteLine($"{address}: the schema is that of this release, version {PostgresSchema.Migrations.Count}");
        return ExitCodes.Done;
    }
}
