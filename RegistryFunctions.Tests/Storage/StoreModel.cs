using RegistryFunctions.Storage;

namespace RegistryFunctions.Tests.Storage;

/// <summary>
/// What a store must do, as plainly as it can be said: lists in memory, no SQL, no batches, no steps. Devices and payloads
/// are numbers.
/// </summary>
internal sealed class StoreModel
{
    private const int SpentPerDevice = 128;

    private readonly Dictionary<int, History> _devices = [];

    /// <summary>Bundles kept per device.</summary>
    public int Keep { get; set; }

    /// <summary>How long superseded payloads are remembered.</summary>
    public TimeSpan Window { get; set; }

    /// <summary>How many payloads of a device are remembered without their bundle.</summary>
    public int Remembered(int device) => HistoryOf(device).Accepted.Count - HistoryOf(device).Held;

    /// <summary>How many bundles a device holds.</summary>
    public int Held(int device) => HistoryOf(device).Held;

    /// <summary>The payload that was accepted last, or null where its bundle was dropped.</summary>
    public int? Newest(int device) => HistoryOf(device) is { Held: > 0 } history ? history.Accepted[^1].Payload : null;

    public PublishOutcome Publish(int device, int payload, DateTimeOffset now)
    {
        History history = HistoryOf(device);
        if (Newest(device) == payload)
        {
            return PublishOutcome.AlreadyCurrent;
        }

        if (Window > TimeSpan.Zero && history.Accepted.Exists(earlier => earlier.Payload == payload))
        {
            return PublishOutcome.Replayed;
        }

        history.Accepted.Add(new Accepted(payload, now));
        history.Held++;
        history.Accepted.RemoveRange(0, int.Max(0, history.Accepted.Count - Keep - SpentPerDevice));
        Drop(history, int.Max(0, history.Held - Keep));
        return PublishOutcome.Stored;
    }

    /// <summary>Returns how many bundles it dropped.</summary>
    public int Prune(DateTimeOffset cutoff, DateTimeOffset now)
    {
        int dropped = 0;
        foreach (History history in _devices.Values)
        {
            // A superseded bundle never outlives its successor, whatever the clock said when they came.
            int due = 1 + history.Accepted.FindLastIndex(accepted => accepted.Received < cutoff) - history.Spent;
            dropped += Drop(history, int.Max(0, due));
            List<Accepted> remembered = [.. history.Accepted.Take(history.Spent).Where(spent => spent.Received >= now - Window)];
            history.Accepted.RemoveRange(0, history.Spent);
            history.Accepted.InsertRange(0, remembered);
            dropped += Drop(history, int.Max(0, history.Held - Keep));
        }

        return dropped;
    }

    // The oldest of those held. They are remembered where there is a window, or else forgotten.
    private int Drop(History history, int count)
    {
        if (Window == TimeSpan.Zero)
        {
            history.Accepted.RemoveRange(history.Spent, count);
        }

        history.Held -= count;
        return count;
    }

    private History HistoryOf(int device) =>
        _devices.TryGetValue(device, out History? history) ? history : _devices[device] = new History();

    private sealed class History
    {
        /// <summary>Oldest first.</summary>
        public List<Accepted> Accepted { get; } = [];

        /// <summary>So many of the newest are held, the others are remembered.</summary>
        public int Held { get; set; }

        public int Spent => Accepted.Count - Held;
    }

    private sealed record Accepted(int Payload, DateTimeOffset Received);
}
