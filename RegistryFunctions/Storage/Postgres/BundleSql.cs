using System.Globalization;

namespace RegistryFunctions.Storage.Postgres;

/// <summary>The statements on bundles, with the limit per device and the replay rule. Each touches one device.</summary>
internal static class BundleSql
{
    /// <summary>
    /// Begins a transaction whose every statement sees what was committed before it. So what comes after
    /// <see cref="LockDevice"/> sees what was done under the lock before
    /// (https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED). Where a database offers only stricter
    /// levels, two that took the same place in a device's order collide, and one is tried again.
    /// </summary>
    public const string Begin = "BEGIN ISOLATION LEVEL READ COMMITTED";

    public const string Commit = "COMMIT";

    public const string Rollback = "ROLLBACK";

    /// <summary>
    /// $1 device. Until the transaction ends, no other one gets past this for the device. Writes a row for a new device only: the
    /// row that a conflict finds is locked also where WHERE then leaves it as it is
    /// (https://www.postgresql.org/docs/current/sql-insert.html#SQL-ON-CONFLICT).
    /// </summary>
    public const string LockDevice = "INSERT INTO device (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET id = excluded.id WHERE false";

    /// <summary>$1 limit. Records that devices may come to hold as many. Belongs to the transaction of every publish.</summary>
    public const string AllowForKept = "UPDATE registry SET held_at_most = $1 WHERE one = 1 AND held_at_most < $1";

    /// <summary>$1 limit. Records that no device holds more.</summary>
    public const string RecordTrimmed = "UPDATE registry SET held_at_most = $1 WHERE one = 1";

    public const string HeldAtMost = "SELECT held_at_most FROM registry WHERE one = 1";

    /// <summary>$1 device. The columns that <see cref="StoredRow"/> reads.</summary>
    public const string FindNewest =
        "SELECT signature, payload, digest, checksum FROM bundle WHERE device = $1 ORDER BY seq DESC LIMIT 1";

    public const string CountBefore = "SELECT count(*) FROM bundle WHERE received < $1";

    /// <summary>$1 time, $2 limit. Counts up to the limit.</summary>
    public const string CountSince = "SELECT count(*) FROM (SELECT 1 FROM bundle WHERE received >= $1 LIMIT $2) AS since";

    /// <summary>$1 time, $2 limit. Devices with old bundles, some more than once.</summary>
    public const string HoldsOld = "SELECT device FROM bundle WHERE received < $1 ORDER BY received LIMIT $2";

    /// <summary>$1 time, $2 limit. Devices with old memories, some more than once.</summary>
    public const string RemembersOld = "SELECT device FROM spent WHERE received < $1 ORDER BY received LIMIT $2";

    /// <summary>$1 device or no bytes, $2 limit. The devices of the bundles from that device on.</summary>
    public const string HeldFrom = "SELECT device FROM bundle WHERE device >= $1 ORDER BY device LIMIT $2";

    /// <summary>
    /// $1 device, $2 time. Forgets what was received before it. "+ 0" keeps it to the key: a database without statistics may else
    /// choose the index by age, and look at all that is due for each device.
    /// </summary>
    public const string Forget = "DELETE FROM spent WHERE device = $1 AND received + 0 < $2";

    /// <summary>$1 device. Removes the row of a device of which nothing is left; the next publish makes another.</summary>
    public const string RemoveDevice =
        """
        DELETE FROM device WHERE id = $1
            AND NOT EXISTS (SELECT 1 FROM bundle WHERE device = $1) AND NOT EXISTS (SELECT 1 FROM spent WHERE device = $1)
        """;

    /// <summary>$1 device or no bytes, $2 limit. The devices after that one.</summary>
    public const string DevicesAfter = "SELECT id FROM device WHERE id > $1 ORDER BY id LIMIT $2";

    /// <summary>$1 device. All that is kept of it, oldest first; null from the fourth column on for what was dropped.</summary>
    public const string ContentOf =
        """
        SELECT seq, received, digest, checksum, signature, payload FROM bundle WHERE device = $1
        UNION ALL
        SELECT seq, received, digest, NULL, NULL, NULL FROM spent WHERE device = $1
        ORDER BY seq
        """;

    /// <summary>Counts the bundles that no lock of a device guards: there are none, unless somebody else has written to the tables.</summary>
    public const string CountStray = "SELECT count(*) FROM bundle WHERE NOT EXISTS (SELECT 1 FROM device WHERE id = bundle.device)";

    /// <summary>$1 device.</summary>
    public const string RemoveHeld = "DELETE FROM bundle WHERE device = $1";

    /// <summary>$1 device.</summary>
    public const string RemoveSpent = "DELETE FROM spent WHERE device = $1";

    /// <summary>$1 device, $2 seq, $3 received, $4 digest, $5 checksum, $6 signature, $7 payload.</summary>
    public const string AddHeld =
        "INSERT INTO bundle (device, seq, received, digest, checksum, signature, payload) VALUES ($1, $2, $3, $4, $5, $6, $7)";

    /// <summary>$1 device, $2 seq, $3 received, $4 digest.</summary>
    public const string AddSpent = "INSERT INTO spent (device, seq, received, digest) VALUES ($1, $2, $3, $4)";

    // A device that publishes daily stays within this for longer than the window; one that publishes without end does
    // not grow without end.
    private const int SpentPerDevice = 128;

    /// <summary>
    /// $1 device, $2 digest, $3 received, $4 checksum, $5 signature, $6 payload, $7 limit, $8 whether spent payloads are
    /// remembered, $9 whether the device may add a bundle. Adds it, drops what is then beyond the limit, and returns the
    /// <see cref="PublishOutcome"/> as a number. Belongs behind <see cref="LockDevice"/>.
    /// </summary>
    public static readonly string Publish = string.Create(
        CultureInfo.InvariantCulture,
        $"""
        WITH known AS MATERIALIZED (
            SELECT seq, digest, held, row_number() OVER (ORDER BY seq DESC) AS place FROM (
                SELECT seq, digest, true AS held FROM bundle WHERE device = $1
                UNION ALL
                SELECT seq, digest, false AS held FROM spent WHERE device = $1) AS accepted
        ), outcome AS MATERIALIZED (
            SELECT CASE
                WHEN EXISTS (SELECT 1 FROM known WHERE digest = $2 AND held AND place = 1) THEN {(int)PublishOutcome.AlreadyCurrent}
                WHEN $8 AND EXISTS (SELECT 1 FROM known WHERE digest = $2) THEN {(int)PublishOutcome.Replayed}
                WHEN NOT $9 THEN {(int)PublishOutcome.TooMany}
                ELSE {(int)PublishOutcome.Stored}
            END AS code
        ), beyond AS MATERIALIZED (
            SELECT coalesce(max(CASE WHEN place >= $7 THEN seq END), 0) AS dropped,
                coalesce(max(CASE WHEN place >= $7 + {SpentPerDevice} THEN seq END), 0) AS forgotten,
                coalesce(max(seq), 0) AS newest
            FROM known
        ), added AS (
            INSERT INTO bundle (device, seq, received, digest, checksum, signature, payload)
            SELECT $1, newest + 1, $3, $2, $4, $5, $6 FROM beyond WHERE (SELECT code FROM outcome) = {(int)PublishOutcome.Stored}
        ), dropped AS (
            DELETE FROM bundle WHERE device = $1 AND seq <= (SELECT dropped FROM beyond)
                AND (SELECT code FROM outcome) = {(int)PublishOutcome.Stored}
            RETURNING seq, received, digest
        ), remembered AS (
            INSERT INTO spent (device, seq, received, digest)
            SELECT $1, seq, received, digest FROM dropped WHERE $8 AND seq > (SELECT forgotten FROM beyond)
        ), forgotten AS (
            DELETE FROM spent WHERE device = $1 AND seq <= (SELECT forgotten FROM beyond)
                AND (SELECT code FROM outcome) = {(int)PublishOutcome.Stored}
        )
        SELECT code FROM outcome
        """);

    /// <summary>
    /// $1 device, $2 time, $3 limit, $4 whether spent payloads are remembered, $5 since when. Drops what was received before the
    /// time, with all that the device had published before that: a clock set back must not bring a superseded bundle back. Drops
    /// what is beyond the limit, too. Returns how many. Belongs behind <see cref="LockDevice"/>.
    /// </summary>
    public const string Drop =
        """
        WITH old AS MATERIALIZED (
            SELECT coalesce(max(seq), 0) AS seq FROM bundle WHERE device = $1 AND received + 0 < $2
        ), beyond AS MATERIALIZED (
            SELECT coalesce(max(seq), 0) AS seq FROM (
                SELECT seq, row_number() OVER (ORDER BY seq DESC) AS place FROM bundle WHERE device = $1) AS held
            WHERE place > $3
        ), dropped AS (
            DELETE FROM bundle WHERE device = $1 AND seq <= greatest((SELECT seq FROM old), (SELECT seq FROM beyond))
            RETURNING seq, received, digest
        ), remembered AS (
            INSERT INTO spent (device, seq, received, digest)
            SELECT $1, seq, received, digest FROM dropped WHERE $4 AND (received >= $5 OR seq > (SELECT seq FROM old))
        )
        SELECT count(*) FROM dropped
        """;
}
