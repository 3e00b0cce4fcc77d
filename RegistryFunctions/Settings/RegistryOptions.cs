using Microsoft.Extensions.Options;

namespace RegistryFunctions.Settings;

/// <summary>
/// The registry's settings: name, default, flag, help and valid values of each are here and nowhere else.
/// <see cref="SettingsReader"/> fills it.
/// </summary>
public sealed class RegistryOptions
{
    /// <summary>Where to serve when stand-alone.</summary>
    [EndPoint("--bind", "Address to listen on when stand-alone; port 0 picks a free one")]
    public string Bind { get; set; } = "0.0.0.0:8080";

    /// <summary>Path of the SQLite file, or address of the PostgreSQL database.</summary>
    [Database("--db", "SQLite file on a local disk, created with its folders if missing; or the URL of a PostgreSQL database")]
    public string Db { get; set; } = "keypackage-registry.db";

    /// <summary>Password of the PostgreSQL database.</summary>
    [Password("Password of the PostgreSQL database", On = DatabaseKind.Postgres)]
    public string DbPassword { get; set; } = "";

    /// <summary>Managed identity that signs in to the PostgreSQL database.</summary>
    [Identity("Managed identity that signs in to PostgreSQL", On = DatabaseKind.Postgres)]
    public string DbIdentity { get; set; } = "";

    /// <summary>Address of a standby that is fetched from.</summary>
    [Standby("--db-read", "URL of a PostgreSQL standby to fetch from; it may serve a bundle that was superseded just now", On = DatabaseKind.Postgres)]
    public string DbRead { get; set; } = "";

    /// <summary>Seconds that the standby may lag behind.</summary>
    [WholeNumber(
        "--max-replica-lag-secs", "Seconds that the standby may be behind; beyond that the primary is asked", 1, 3_600,
        On = DatabaseKind.Postgres)]
    public int MaxReplicaLagSecs { get; set; } = 5;

    /// <summary>Whether a start brings an older schema up to date.</summary>
    [Switch("--auto-migrate", "Bring an older schema in PostgreSQL up to date at the start", On = DatabaseKind.Postgres)]
    public bool AutoMigrate { get; set; } = true;

    /// <summary>Whether a PostgreSQL server will do that loses what it has acknowledged when it crashes.</summary>
    [Switch("--allow-lossy-commits", "Use PostgreSQL even where it may lose acknowledged bundles", On = DatabaseKind.Postgres)]
    public bool AllowLossyCommits { get; set; }

    /// <summary>Whether no transaction may hold more than one device.</summary>
    [Switch("--db-transaction-per-device", "One transaction a device, where devices are on many nodes (Citus)", On = DatabaseKind.Postgres)]
    public bool DbTransactionPerDevice { get; set; }

    /// <summary>How many bundles a device may hold.</summary>
    [WholeNumber("--max-per-identity", "Bundles kept per device", 1, 1_000)]
    public int MaxPerIdentity { get; set; } = 5;

    /// <summary>Days a bundle is kept.</summary>
    [WholeNumber("--retention-days", "Days a bundle is kept", 1, 36_500)]
    public int RetentionDays { get; set; } = 30;

    /// <summary>Seconds between prunes when stand-alone.</summary>
    [WholeNumber("--prune-interval-secs", "Seconds between prunes when stand-alone", 1, 4_000_000)]
    public int PruneIntervalSecs { get; set; } = 3_600;

    /// <summary>Days a superseded payload is refused, counted from its acceptance; 0 turns this off.</summary>
    [WholeNumber(
        "--replay-window-days", "Days a superseded payload is refused, counted from its acceptance; 0 turns this off", 0, 36_500)]
    public int ReplayWindowDays { get; set; } = 90;

    /// <summary>Largest request body accepted, in bytes.</summary>
    [WholeNumber("--max-body-bytes", "Largest request body accepted, in bytes", 1_024, 64 * 1024 * 1024)]
    public int MaxBodyBytes { get; set; } = 64 * 1024;

    /// <summary>Connections served at once when stand-alone.</summary>
    [WholeNumber("--max-connections", "Concurrent connections when stand-alone; extra ones are closed", 1, 10_000_000)]
    public int MaxConnections { get; set; } = 20_000;

    /// <summary>Largest size of the SQLite file, in bytes; 0 for no limit.</summary>
    [WholeNumber(
        "--max-db-bytes", "Largest size of the SQLite file, in bytes; 0 for no limit", 1024 * 1024, 1L << 43, orZero: true,
        On = DatabaseKind.Sqlite)]
    public long MaxDbBytes { get; set; }

    /// <summary>Whether the SQLite file may be on a network file system.</summary>
    [Switch("--allow-network-fs", "Use a SQLite file on a network file system, where data may be lost", On = DatabaseKind.Sqlite)]
    public bool AllowNetworkFs { get; set; }

    /// <summary>Whether the signature of every fetched bundle is verified.</summary>
    [Switch("--verify-on-read", "Verify the signature of every bundle that is fetched, not just its checksum")]
    public bool VerifyOnRead { get; set; }

    /// <summary>Requests a minute from one client address; 0 for no limit.</summary>
    [WholeNumber(
        "--max-requests-per-minute", "Requests a minute from one client address (for IPv6, one /64); 0 for no limit", 0, 1_000_000)]
    public int MaxRequestsPerMinute { get; set; }

    /// <summary>New bundles an hour from one device; 0 for no limit.</summary>
    [WholeNumber("--max-publishes-per-hour", "New bundles an hour from one device; 0 for no limit", 0, 1_000_000)]
    public int MaxPublishesPerHour { get; set; }

    /// <summary>Proxies whose X-Forwarded-For tells the client's address.</summary>
    [Networks("--trusted-proxies", "Proxies whose X-Forwarded-For is trusted")]
    public string TrustedProxies { get; set; } = NetworksAttribute.None;
}

/// <summary>Holds each value against the attribute of its property.</summary>
[OptionsValidator]
internal sealed partial class RegistryOptionsValidator : IValidateOptions<RegistryOptions>;
