using System.Globalization;
using Microsoft.Data.Sqlite;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// The tables and their version, kept in SQLite's <c>user_version</c>; <c>application_id</c> tells a registry's
/// file from any other database (https://www.sqlite.org/pragma.html).
/// </summary>
internal static class SqliteSchema
{
    /// <summary>"KPR1" in ASCII.</summary>
    public const int ApplicationId = 0x4B505231;

    /// <summary>Entry i brings a file from version i to version i + 1. Entries are never edited, only added.</summary>
    public static readonly IReadOnlyList<string> Migrations =
    [
        """
        -- A row for each bundle that was accepted. Dropping the bundle leaves the row, so that a replay of it is known
        -- for as long as the replay window. The tree by device, where neighbours in age lie far apart, is not touched.
        CREATE TABLE accepted (
            seq       INTEGER PRIMARY KEY, -- order of acceptance
            head      INTEGER NOT NULL,    -- the first 8 bytes of device, which SQLite compares as one number
            device    BLOB    NOT NULL,    -- 32 bytes
            received  INTEGER NOT NULL,    -- ms since 1970-01-01 UTC, for retention and the replay window only
            digest    INTEGER NOT NULL,    -- of the payload
            checksum  INTEGER NOT NULL,    -- of device, signature and digest
            signature BLOB,                -- 64 bytes, or null: the bundle was dropped
            payload   BLOB                 -- null like the signature
        ) STRICT;
        CREATE INDEX accepted_by_device ON accepted (head, device, seq, digest);
        CREATE INDEX bundle_by_age ON accepted (received) WHERE payload IS NOT NULL;
        CREATE INDEX spent_by_age ON accepted (received) WHERE payload IS NULL;

        CREATE VIEW bundle AS
            SELECT seq, device, received, digest, checksum, signature, payload FROM accepted WHERE payload IS NOT NULL;
        CREATE VIEW spent AS
            SELECT seq, device, received, digest FROM accepted WHERE payload IS NULL;

        -- No device holds more than this many bundles; absent in a file that no limit was ever applied to.
        CREATE TABLE held_per_device (one INTEGER PRIMARY KEY CHECK (one = 1), at_most INTEGER NOT NULL) STRICT;
        """,
    ];

    /// <summary>Refuses, without writing to it, a database that is not a registry's or is newer than this code.</summary>
    /// <param name="session">The database.</param>
    /// <param name="migrations">The schema.</param>
    /// <param name="mayBeEmpty">Whether an empty database will do.</param>
    /// <exception cref="StoreOpenException">The database is refused.</exception>
    public static void RefuseForeign(SqliteSession session, IReadOnlyList<string> migrations, bool mayBeEmpty = false)
    {
        long applicationId = session.Scalar<long>("PRAGMA application_id");
        bool isEmpty = mayBeEmpty && applicationId == 0 && session.Scalar<long>("SELECT count(*) FROM sqlite_schema") == 0;
        if (!isEmpty && applicationId != ApplicationId)
        {
            throw new StoreOpenException("is a database of another program: name another file");
        }

        long version = session.Scalar<long>("PRAGMA user_version");
        if (version > migrations.Count)
        {
            throw new StoreOpenException(string.Create(
                CultureInfo.InvariantCulture,
                $"was written by a newer release (schema {version}, this release knows {migrations.Count}): run that release, or name another file"));
        }
    }

    /// <summary>Brings a new or older database to the newest version in one transaction.</summary>
    public static void Migrate(SqliteSession session, IReadOnlyList<string> migrations)
    {
        using SqliteTransaction transaction = session.Begin(deferred: false);
        // Read again under the lock: another process may have migrated the file meanwhile.
        RefuseForeign(session, migrations, mayBeEmpty: true);
        long version = session.Scalar<long>("PRAGMA user_version");
        if (version < migrations.Count)
        {
            foreach (string migration in migrations.Skip((int)version))
            {
                session.Execute(migration);
            }

            session.Execute(string.Create(
                CultureInfo.InvariantCulture,
                $"PRAGMA application_id = {ApplicationId}; PRAGMA user_version = {migrations.Count}"));
        }

        transaction.Commit();
    }

    /// <summary>Reads both ends of every tree, which a damaged file may not have.</summary>
    public static void ReadEnds(SqliteSession session)
    {
        foreach (string tree in (string[])
            [
                "digest FROM accepted NOT INDEXED ORDER BY seq",
                "digest FROM accepted INDEXED BY accepted_by_device ORDER BY head",
                "digest FROM accepted INDEXED BY bundle_by_age WHERE payload IS NOT NULL ORDER BY received",
                "digest FROM accepted INDEXED BY spent_by_age WHERE payload IS NULL ORDER BY received",
            ])
        {
            session.Execute($"SELECT {tree} LIMIT 1; SELECT {tree} DESC LIMIT 1");
        }
    }
}
