using RegistryFunctions.Storage;

namespace RegistryFunctions.Functions;

/// <summary>
/// Probes the store for <see cref="Health"/>. Anyone may ask, as often as they like, so the store is probed once for all who
/// ask meanwhile and shortly after.
/// </summary>
public sealed class StoreProbe(IBundleStore store, TimeProvider time)
{
    private static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(1);

    // Longer than the store waits for a lock of another process.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private Task? _probe;
    private long _probedAt;

    /// <summary>Writes and reads a little, or takes the outcome of the last time.</summary>
    /// <exception cref="StoreException">What a publish or a fetch would meet now.</exception>
    public async Task RunAsync()
    {
        try
        {
            await Probe().WaitAsync(Patience, time);
        }
        catch (TimeoutException e)
        {
            throw new StoreException(StoreFault.Unavailable, "the storage does not answer", e);
        }
    }

    private Task Probe()
    {
        lock (_lock)
        {
            if (_probe is null || (_probe.IsCompleted && time.GetElapsedTime(_probedAt) >= KeptFor))
            {
                _probedAt = time.GetTimestamp();
                // Not in here: a disk that hangs must not hang those who ask whether the process lives.
                _probe = Task.Run(() => store.ProbeAsync().AsTask());
            }

            return _probe;
        }
    }
}
