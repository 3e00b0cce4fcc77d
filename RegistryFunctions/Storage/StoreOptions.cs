using RegistryFunctions.Bundles;
using RegistryFunctions.RateLimits;

namespace RegistryFunctions.Storage;

/// <summary>What a store keeps and serves, whichever store it is.</summary>
/// <param name="Keep">How many bundles a device may hold, at least one.</param>
/// <param name="ReplayWindow">How long after its acceptance a superseded payload is remembered; zero for not at all.</param>
/// <param name="VerifyOnRead">Whether to verify the signature of every bundle that is fetched.</param>
/// <param name="PublishLimit">How many bundles a device may add a period, repeats and replays aside; null for any number.</param>
public sealed record StoreOptions(
    int Keep,
    TimeSpan ReplayWindow,
    bool VerifyOnRead = false,
    RateLimit<DeviceId>? PublishLimit = null);
