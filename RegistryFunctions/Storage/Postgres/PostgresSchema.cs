using System.Globalization;
using Npgsql;

namespace RegistryFunctions.Storage.Postgres;

/// <summary>The tables and their version.</summary>
/// <remarks>
/// Instances are replaced one by one, so an older program and a newer one work on the same tables for a while. Therefore a
/// migration only adds what older programs can ignore (expand): a table, an index, a column that may be null or has a default.
/// What no program uses any more goes in a later release (contract), and that migration's <see cref="Migration.WorksFrom"/> says
/// which programs it would break: they refuse to start, and those that run must have been replaced by then.
/// </remarks>
internal static class PostgresSchema
{
    /// <summary>Entry i brings a database from version i to version i + 1. Entries are never edited, only added.</summary>
    public static readonly IReadOnlyList<Migration> Migrations =
    [
        new(
            WorksFrom: 1,
            """
            CREATE TABLE registry (
                one          integer PRIMARY KEY CHECK (one = 1),
                version      integer NOT NULL, -- so many migrations were applied
                works_from   integer NOT NULL, -- programs that know so many migrations, or more, work with it
                held_at_most integer NOT NULL, -- no device holds more bundles than this
                copy_of      text,             -- the registry that is copied here, until a server opens this one
                copy_is_complete boolean NOT NULL DEFAULT false
            );
            INSERT INTO registry (one, version, works_from, held_at_most) VALUES (1, 0, 0, 0);

            -- Locked by whoever changes what is kept of a device; changed by nobody.
            CREATE TABLE device (id bytea PRIMARY KEY);

            -- What a device holds. A bundle that is dropped moves to spent, so that a replay of it is known.
            CREATE TABLE bundle (
                device    bytea  NOT NULL, -- 32 bytes
                seq       bigint NOT NULL, -- order of acceptance among those of the device
                received  bigint NOT NULL, -- ms since 1970-01-01 UTC, for retention and the replay window only
                digest    bigint NOT NULL, -- of the payload
                checksum  bigint NOT NULL, -- of device, signature and digest
                signature bytea  NOT NULL, -- 64 bytes
                payload   bytea  NOT NULL,
                PRIMARY KEY (device, seq)
            );
            CREATE INDEX bundle_by_age ON bundle (received);

            -- Its sequence numbers come before those of the bundles that the device holds. The digest is in the key so that a publish
            -- reads the index alone: the rows of a device lie on as many pages as there are.
            CREATE TABLE spent (
                device   bytea  NOT NULL,
                seq      bigint NOT NULL,
                received bigint NOT NULL,
                digest   bigint NOT NULL,
                PRIMARY KEY (device, seq, digest)
            );
            CREATE INDEX spent_by_age ON spent (received);
            """),
    ];

    /// <summary>Makes sure that the tables are those that this program needs, or brings them there.</summary>
    /// <exception cref="StoreOpenException">They do not fit, or are another program's.</exception>
    public static async Task FitAsync(NpgsqlDataSource database, IReadOnlyList<Migration> migrations, bool migrate)
    {
        for (long begin = Environment.TickCount64; !await FitsAsync(database, migrations, migrate);)
        {
            if (await TryMigrateAsync(database, migrations))
            {
                continue;
            }

            if (Environment.TickCount64 - begin > PostgresTuning.MigrationPatience.TotalMilliseconds)
            {
                throw new StoreOpenException("another instance has been migrating the schema for minutes: look at that one");
            }

            await Task.Delay(PostgresTuning.MigrationPoll);
        }
    }

    // False where there is something to migrate.
    private static async Task<bool> FitsAsync(NpgsqlDataSource database, IReadOnlyList<Migration> migrations, bool migrate)
    {
        (int version, int worksFrom) = await VersionAsync(database);
        if (worksFrom > migrations.Count)
        {
            throw new StoreOpenException(string.Create(
                CultureInfo.InvariantCulture,
                $"the schema is of a newer release (works from {worksFrom}, this release knows {migrations.Count}): run that release"));
        }

        if (version < migrations.Count && !migrate)
        {
            throw new StoreOpenException(string.Create(
                CultureInfo.InvariantCulture,
                $"the schema is at version {version}, this release needs {migrations.Count}: run RegistryFunctions migrate first"));
        }

        return version >= migrations.Count;
    }

    // False where another instance is at it.
    private static async Task<bool> TryMigrateAsync(NpgsqlDataSource database, IReadOnlyList<Migration> migrations)
    {
        var lease = new PostgresLease(database, "migration");
        try
        {
            await database.ExecuteAsync(PostgresLease.Table);
            if (!await lease.TryTakeAsync())
            {
                return false;
            }
        }
        catch (PostgresException e) when (e.SqlState
            is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.DuplicateTable or PostgresErrorCodes.DuplicateObject
            or PostgresErrorCodes.SerializationFailure)
        {
            // Two that create one table at the same moment: the later one meets the table, its type or their rows in the catalog.
            return false;
        }

        try
        {
            (int version, _) = await VersionAsync(database);
            for (int i = version; i < migrations.Count; i++)
            {
                await ApplyAsync(database, migrations[i], i + 1);
                // Another program that held the lease too long would find it lost here.
                if (!await lease.TryTakeAsync())
                {
                    return false;
                }
            }

            return true;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.DuplicateTable)
        {
            throw new StoreOpenException(
                $"has tables of another program ({e.MessageText}): give the registry a database, or a schema (Search Path), of its own", e);
        }
        finally
        {
            await lease.ReleaseAsync();
        }
    }

    private static async Task ApplyAsync(NpgsqlDataSource database, Migration migration, int version)
    {
        string sql = string.Create(
            CultureInfo.InvariantCulture,
            $"BEGIN; {migration.Sql}; UPDATE registry SET version = {version}, works_from = {migration.WorksFrom}; COMMIT");
        await database.ExecuteAsync(sql, timeoutSecs: 0);
    }

    private static async Task<(int Version, int WorksFrom)> VersionAsync(NpgsqlDataSource database)
    {
        try
        {
            List<(int, int)> found = await database.QueryAsync(
                "SELECT version, works_from FROM registry WHERE one = 1", _ => { }, row => (row.GetInt32(0), row.GetInt32(1)));
            return found is [var versions] ? versions : (0, 0);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            return (0, 0);
        }
    }
}

/// <summary>A step from one version of the schema to the next.</summary>
/// <param name="WorksFrom">The oldest program that works with what it leaves: how many migrations that one knows.</param>
/// <param name="Sql">What it does, in one transaction.</param>
internal sealed record Migration(int WorksFrom, string Sql);
