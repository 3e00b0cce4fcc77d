using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// Bundles that are fetched again and again, within a bound of bytes. One that is fetched only now and then is not kept, so
/// that fetches spread over many more devices than fit don't pay for it. Thread-safe, without locks.
/// </summary>
/// <remarks>
/// A row holds the same bundle until that is dropped. Dropping any ends an epoch, and what was kept in an earlier one is not
/// found any more: a fetch that read a bundle before it was dropped may keep it only afterwards.
/// </remarks>
internal sealed class FetchedBundles(long maxBytes)
{
    // As many as 16 bits count. Of 20,000 bundles, which fit if they are of usual size, 14 % share a slot with another.
    private const int Slots = 1 << 16;

    // The objects of an entry, beside the bytes of its payload.
    private const int BytesPerEntry = 200;

    private readonly Entry?[] _entries = new Entry?[Slots];

    // By row; where two share a place, the one that was fetched last.
    private readonly long[] _fetchedOnce = new long[Slots];
    private long _bytes;
    private int _evicted;
    private int _epoch;

    /// <summary>Belongs before the read that finds what is then kept.</summary>
    public int Epoch => Volatile.Read(ref _epoch);

    /// <summary>The bundle in a row of the device, or null where it is not kept.</summary>
    public Bundle? Find(in DeviceId device, long row) =>
        Volatile.Read(ref SlotOf(device)) is { } entry && entry.Row == row && entry.Epoch == Epoch && entry.Device == device
            ? entry.Bundle
            : null;

    /// <summary>Keeps the bundle that was found in a row of the device, unless it is the first time.</summary>
    public void Add(in DeviceId device, long row, Bundle bundle, int epoch)
    {
        if (Interlocked.Exchange(ref _fetchedOnce[(ushort)row], row) != row)
        {
            return;
        }

        Put(ref SlotOf(device), new Entry(device, row, bundle, epoch));
        while (Volatile.Read(ref _bytes) > maxBytes)
        {
            Put(ref _entries[(uint)Interlocked.Increment(ref _evicted) % Slots], null);
        }
    }

    /// <summary>Forgets all bundles. Belongs after some were dropped, before anybody is told of it.</summary>
    public void Clear() => Interlocked.Increment(ref _epoch);

    private void Put(ref Entry? slot, Entry? entry)
    {
        Entry? former = Interlocked.Exchange(ref slot, entry);
        Interlocked.Add(ref _bytes, (entry?.Bytes ?? 0) - (former?.Bytes ?? 0));
    }

    // Keys are uniformly distributed.
    private ref Entry? SlotOf(in DeviceId device) => ref _entries[(ushort)device.GetHashCode()];

    private sealed class Entry(in DeviceId device, long row, Bundle bundle, int epoch)
    {
        public readonly DeviceId Device = device;

        public long Row { get; } = row;

        public Bundle Bundle { get; } = bundle;

        public int Epoch { get; } = epoch;

        public long Bytes => Bundle.Payload.Length + BytesPerEntry;
    }
}
