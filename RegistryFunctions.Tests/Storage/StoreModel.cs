using RegistryFunctions.Storage;

namespace RegistryFunctions.Tests.Storage;

/// <summary>
/// What a store must do, as plainly as it can be said: lists in memory, no SQL, no batches, no steps. Devices and payloads
/// are numbers.
/// </summary>
internal sealed class StoreModel
{
    private const int RememberedPerDevice = 128;

    private readonly Dictionary<int, List<Accepted>> _held = [];
    private readonly Dictionary<int, Dictionary<int, DateTimeOffset>> _spent = [];

    /// <summary>Bundles kept per device.</summary>
    public int Keep { get; set; }

    /// <summary>How long superseded payloads are remembered.</summary>
    public TimeSpan Window { get; set; }

    /// <summary>How many superseded payloads of a device are remembered.</summary>
    public int Remembered(int device) => SpentOf(device).Count;

    /// <summary>How many bundles a device holds.</summary>
    public int Held(int device) => HeldOf(device).Count;

    /// <summary>The payload that was accepted last, or null.</summary>
    public int? Newest(int device) => HeldOf(device) is [.., var newest] ? newest.Payload : null;

    public PublishOutcome Publish(int device, int payload, DateTimeOffset now)
    {
        List<Accepted> held = HeldOf(device);
        if (Newest(device) == payload)
        {
            return PublishOutcome.AlreadyCurrent;
        }

        if (Window > TimeSpan.Zero && (held.Exists(old => old.Payload == payload) || SpentOf(device).ContainsKey(payload)))
        {
            return PublishOutcome.Replayed;
        }

        held.Add(new Accepted(payload, now));
        DropBeyondLimit(device);
        return PublishOutcome.Stored;
    }

    /// <summary>Returns how many bundles it dropped.</summary>
    public int Prune(DateTimeOffset cutoff, DateTimeOffset now)
    {
        int dropped = 0;
        foreach ((int device, List<Accepted> held) in _held)
        {
            // A superseded bundle never outlives its successor, whatever the clock said when they came.
            int due = 1 + held.FindLastIndex(bundle => bundle.Received < cutoff);
            foreach (Accepted old in held.Take(due).Where(old => Window > TimeSpan.Zero && old.Received >= now - Window))
            {
                Spend(device, old);
            }

            held.RemoveRange(0, due);
            dropped += due;
        }

        foreach (Dictionary<int, DateTimeOffset> spent in _spent.Values)
        {
            foreach (int payload in spent.Keys.Where(payload => spent[payload] < now - Window).ToList())
            {
                spent.Remove(payload);
            }
        }

        return dropped + _held.Keys.Sum(DropBeyondLimit);
    }

    private int DropBeyondLimit(int device)
    {
        List<Accepted> held = HeldOf(device);
        int dropped = int.Max(0, held.Count - Keep);
        if (Window > TimeSpan.Zero && dropped > 0)
        {
            Dictionary<int, DateTimeOffset> spent = SpentOf(device);
            held.Take(dropped).ToList().ForEach(old => Spend(device, old));
            foreach (int payload in spent.Keys.OrderByDescending(payload => spent[payload]).Skip(RememberedPerDevice).ToList())
            {
                spent.Remove(payload);
            }
        }

        held.RemoveRange(0, dropped);
        return dropped;
    }

    // Accepted more than once, a payload is remembered from the last time on.
    private void Spend(int device, Accepted old)
    {
        Dictionary<int, DateTimeOffset> spent = SpentOf(device);
        spent[old.Payload] = spent.TryGetValue(old.Payload, out DateTimeOffset before) && before > old.Received ? before : old.Received;
    }

    // Oldest first.
    private List<Accepted> HeldOf(int device) =>
        _held.TryGetValue(device, out List<Accepted>? held) ? held : _held[device] = [];

    private Dictionary<int, DateTimeOffset> SpentOf(int device) =>
        _spent.TryGetValue(device, out Dictionary<int, DateTimeOffset>? spent) ? spent : _spent[device] = [];

    private sealed record Accepted(int Payload, DateTimeOffset Received);
}
