namespace RegistryFunctions.Storage.Postgres;

/// <summary>Where PostgreSQL keeps bundles.</summary>
/// <param name="Address">The database.</param>
/// <param name="Store">What it keeps there.</param>
/// <param name="AutoMigrate">Whether to bring an older schema up to date; otherwise it is refused.</param>
/// <param name="AllowLossyCommits">Whether a server will do that loses what it has acknowledged when it crashes.</param>
/// <param name="TransactionPerDevice">Whether no transaction may hold more than one device, as where devices are on many nodes.</param>
/// <param name="Standby">Where to fetch from; null for the database itself.</param>
/// <param name="MaxLag">How old what the standby has may be.</param>
internal sealed record PostgresStoreOptions(
    PostgresAddress Address,
    StoreOptions Store,
    bool AutoMigrate = true,
    bool AllowLossyCommits = false,
    bool TransactionPerDevice = false,
    PostgresAddress? Standby = null,
    TimeSpan MaxLag = default);
