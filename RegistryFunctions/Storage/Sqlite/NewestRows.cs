using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// Where the newest row of a device lies, for as many devices as fit: a fetch that knows it saves the walk through the tree
/// by device. The row itself tells whether it is the device's, so that two devices may look alike here; that none newer
/// exists, this tells. Thread-safe, without locks.
/// </summary>
/// <remarks>
/// A slot holds a row's number and some bits of its device, and is only ever replaced by one with a greater number: of a
/// full set the smallest gives way. So a row that was noted can't be followed by an older one of its device that a slower
/// fetch has found meanwhile: where the newer has given way, the older is smaller than all that are there.
/// </remarks>
internal sealed class NewestRows(long state)
{
    // One line of a processor's cache, so that looking costs one access to memory.
    private const int SetSize = 8;

    // 24 MiB, room for 3 million devices; of 2 million 3 % find their set full.
    private const int Sets = 3 << 17;

    private const int TagBits = 16;
    private const long TagMask = (1L << TagBits) - 1;
    private const long MaxRow = long.MaxValue >> TagBits;

    private const int BytesOfBundles = 16 << 20;

    private readonly long[] _slots = new long[Sets * SetSize];
    private long _state = state;

    /// <summary>
    /// The state of the database (<see cref="WalIndex.State"/>) up to which every newer row of a device that is known here
    /// was noted.
    /// </summary>
    public long State
    {
        get => Volatile.Read(ref _state);
        set => Volatile.Write(ref _state, value);
    }

    /// <summary>The bundles of some of the rows.</summary>
    public FetchedBundles Bundles { get; } = new(BytesOfBundles);

    /// <summary>The number of the newest row that was noted of a device, or 0 where none is known.</summary>
    public long Find(in DeviceId device)
    {
        ReadOnlySpan<long> set = SetOf(device, out long tag);
        int index = 0;
        long newest = 0;
        for (int i = 0; i < set.Length; i++)
        {
            long value = Volatile.Read(in set[i]);
            if ((value & TagMask) == tag && value > newest)
            {
                index = i;
                newest = value;
            }
        }

        // Two that noted the device at the same time may have taken a slot each. The newer is lost only after the older.
        return Volatile.Read(in set[index]) == newest ? newest >> TagBits : 0;
    }

    /// <summary>Notes a row of a device, unless a newer one is known.</summary>
    public void Note(in DeviceId device, long row)
    {
        Span<long> set = SetOf(device, out long tag);
        // A number too great to be noted is noted as one that no row has.
        long value = (Math.Min(row, MaxRow) << TagBits) | tag;
        while (true)
        {
            ref long slot = ref SlotFor(set, tag, out long present);
            if (present >= value || Interlocked.CompareExchange(ref slot, value, present) == present)
            {
                return;
            }
        }
    }

    // The slot of the device, or else the smallest.
    private static ref long SlotFor(Span<long> set, long tag, out long present)
    {
        int index = 0;
        present = long.MaxValue;
        for (int i = 0; i < set.Length; i++)
        {
            long value = Volatile.Read(ref set[i]);
            if (value != 0 && (value & TagMask) == tag)
            {
                index = i;
                present = value;
                break;
            }

            if (value < present)
            {
                index = i;
                present = value;
            }
        }

        return ref set[index];
    }

    // Keys are uniformly distributed: the upper half of the head chooses the set, evenly, and the lowest bits tag.
    private Span<long> SetOf(in DeviceId device, out long tag)
    {
        long head = DeviceHead.Of(device.Span);
        tag = head & TagMask;
        var set = (int)(((ulong)head >> 32) * Sets >> 32);
        return _slots.AsSpan(set * SetSize, SetSize);
    }
}
