using RegistryFunctions.Bundles;
using RegistryFunctions.RateLimits;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>How a store keeps bundles.</summary>
/// <param name="Path">The file, on a local disk.</param>
/// <param name="Keep">How many bundles a device may hold, at least one.</param>
/// <param name="ReplayWindow">How long after its acceptance a superseded payload is remembered; zero for not at all.</param>
/// <param name="MaxBytes">Largest size of the file that publishes may bring it to, in bytes; 0 for no limit.</param>
/// <param name="VerifyOnRead">Whether to verify the signature of every bundle that is fetched.</param>
/// <param name="PublishLimit">How many bundles a device may add a period, repeats and replays aside; null for any number.</param>
public sealed record SqliteStoreOptions(
    string Path,
    int Keep,
    TimeSpan ReplayWindow,
    long MaxBytes = 0,
    bool VerifyOnRead = false,
    RateLimit<DeviceId>? PublishLimit = null);
