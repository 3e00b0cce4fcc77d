using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage;

/// <summary>
/// Logs that bundles can't be read, and remembers whose were damaged: that others can be read does not mend them.
/// </summary>
internal sealed class ReadFaults(FaultLog log)
{
    // Enough to know that there is damage.
    private const int MaxRemembered = 1_000;

    private readonly Lock _lock = new();
    private readonly HashSet<DeviceId> _damaged = [];
    private volatile bool _isDamaged;

    // One whose bundle was damaged when it was last read, or null.
    private DeviceId? Damaged
    {
        get
        {
            lock (_lock)
            {
                return _damaged.Count > 0 ? _damaged.First() : null;
            }
        }
    }

    /// <summary>
    /// Reads the bundle of some device, and of those whose were damaged until one still is; <paramref name="find"/> reports here
    /// what it meets, and throws it.
    /// </summary>
    public async ValueTask ProbeAsync(Func<DeviceId, ValueTask<Bundle?>> find)
    {
        DeviceId? device = Damaged ?? default(DeviceId);
        do
        {
            await find(device.Value).ConfigureAwait(false);
            device = Damaged;
        }
        while (device is not null);
    }

    public void Report(in DeviceId device, StoreException fault)
    {
        lock (_lock)
        {
            if (fault.Fault == StoreFault.Damaged && _damaged.Count < MaxRemembered)
            {
                _isDamaged = _damaged.Add(device) || _isDamaged;
            }

            log.Report(fault.Fault, fault);
        }
    }

    public void WasRead(in DeviceId device)
    {
        // Read first: this is on the path of every fetch.
        if (!_isDamaged)
        {
            log.Healed();
            return;
        }

        lock (_lock)
        {
            _damaged.Remove(device);
            _isDamaged = _damaged.Count > 0;
            if (!_isDamaged)
            {
                log.Healed();
            }
        }
    }
}
