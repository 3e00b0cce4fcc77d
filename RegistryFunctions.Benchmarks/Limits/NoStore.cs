using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Benchmarks.Limits;

/// <summary>Takes every bundle and keeps none.</summary>
internal sealed class NoStore : IBundleStore
{
    public ValueTask<PublishOutcome> PublishAsync(VerifiedBundle bundle, CancellationToken cancellationToken) =>
        ValueTask.FromResult(PublishOutcome.Stored);

    public ValueTask<Bundle?> FindNewestAsync(DeviceId device, CancellationToken cancellationToken) =>
        ValueTask.FromResult<Bundle?>(null);

    public ValueTask<int> PruneAsync(DateTimeOffset cutoff, CancellationToken cancellationToken) =>
        ValueTask.FromResult(0);

    public ValueTask<(long Count, bool IsMost)> CountReceivedBeforeAsync(
        DateTimeOffset cutoff, CancellationToken cancellationToken) =>
        ValueTask.FromResult((0L, false));

    public ValueTask ProbeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
