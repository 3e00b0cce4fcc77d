using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Tests.Support;

/// <summary>The real store, which tells when the first publish waits in its queue.</summary>
internal sealed class WatchedStore(IBundleStore store) : IBundleStore
{
    private readonly TaskCompletionSource<CancellationToken> _queued = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes with the token that tells that the caller has gone.</summary>
    public Task<CancellationToken> Queued => _queued.Task;

    public ValueTask<PublishOutcome> PublishAsync(VerifiedBundle bundle, CancellationToken cancellationToken)
    {
        ValueTask<PublishOutcome> publish = store.PublishAsync(bundle, cancellationToken);
        _queued.TrySetResult(cancellationToken);
        return publish;
    }

    public ValueTask<Bundle?> FindNewestAsync(DeviceId device, CancellationToken cancellationToken) =>
        store.FindNewestAsync(device, cancellationToken);

    public ValueTask<int> PruneAsync(DateTimeOffset cutoff, CancellationToken cancellationToken) =>
        store.PruneAsync(cutoff, cancellationToken);

    public ValueTask<(long Count, bool IsMost)> CountReceivedBeforeAsync(
        DateTimeOffset cutoff, CancellationToken cancellationToken) =>
        store.CountReceivedBeforeAsync(cutoff, cancellationToken);

    public ValueTask ProbeAsync() => store.ProbeAsync();

    public ValueTask DisposeAsync() => store.DisposeAsync();
}
