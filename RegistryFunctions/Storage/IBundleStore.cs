using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage;

/// <summary>
/// Keeps the newest bundles of every device. All members may be called at once from any thread, complete at once or later,
/// and throw <see cref="StoreException"/> when the store can't do now what was asked. Disposing takes no more requests from
/// the moment it is called, does what waits, and then completes.
/// </summary>
public interface IBundleStore : IAsyncDisposable
{
    /// <summary>
    /// Adds a bundle as its device's newest and drops what the device then holds beyond the limit, unless it repeats the
    /// device's newest or replays a superseded one. Bundles are accepted in the order of the calls. Completes once that is
    /// durable: it survives the end of the process and of the machine. A bundle whose <paramref name="cancellationToken"/>
    /// is cancelled in time is not written.
    /// </summary>
    ValueTask<PublishOutcome> PublishAsync(VerifiedBundle bundle, CancellationToken cancellationToken);

    /// <summary>
    /// The bundle of <paramref name="device"/> that was accepted last, or null if there is none. Order is the
    /// order of acceptance, whatever the clock said.
    /// </summary>
    ValueTask<Bundle?> FindNewestAsync(DeviceId device, CancellationToken cancellationToken);

    /// <summary>
    /// Drops the bundles received before <paramref name="cutoff"/> and what any device holds beyond the limit,
    /// a little at a time so that publishing goes on. Returns how many bundles were dropped.
    /// </summary>
    ValueTask<int> PruneAsync(DateTimeOffset cutoff, CancellationToken cancellationToken);

    /// <summary>
    /// How many bundles were received before <paramref name="cutoff"/>, and whether they are more than half of all. Takes
    /// longer the more they are.
    /// </summary>
    ValueTask<(long Count, bool IsMost)> CountReceivedBeforeAsync(
        DateTimeOffset cutoff, CancellationToken cancellationToken);

    /// <summary>
    /// Writes and reads a little, durably, as a publish and a fetch would. What throws says what they would meet: where
    /// that is <see cref="StoreFault.Full"/>, reading works.
    /// </summary>
    ValueTask ProbeAsync();
}
