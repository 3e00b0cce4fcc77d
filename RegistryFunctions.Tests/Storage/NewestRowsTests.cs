using System.Buffers.Binary;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage.Sqlite;

namespace RegistryFunctions.Tests.Storage;

public sealed class NewestRowsTests
{
    private const int Sharing = 20;

    private readonly NewestRows _rows = new(state: 1);

    [Fact]
    public void The_newest_row_that_was_noted_is_found_and_an_older_one_changes_nothing()
    {
        DeviceId device = DeviceOf(set: 7, tag: 9);
        Assert.Equal(0, _rows.Find(device));
        _rows.Note(device, 5);
        _rows.Note(device, 8);
        _rows.Note(device, 6);
        Assert.Equal(8, _rows.Find(device));
        Assert.Equal(0, _rows.Find(DeviceOf(set: 7, tag: 10)));
        Assert.Equal(0, _rows.Find(DeviceOf(set: uint.MaxValue, tag: 9)));
    }

    [Theory]
    [InlineData(0u, 0)]
    [InlineData(uint.MaxValue, ushort.MaxValue)]
    public void Every_device_has_a_place(uint set, ushort tag)
    {
        _rows.Note(DeviceOf(set, tag), 1);
        Assert.Equal(1, _rows.Find(DeviceOf(set, tag)));
    }

    [Fact]
    public void A_device_is_never_found_by_a_row_that_it_has_superseded_however_many_share_its_place()
    {
        var random = new Random(1);
        List<long>[] published = [.. Enumerable.Range(0, Sharing).Select(_ => new List<long>())];
        int found = 0;
        for (long row = 1; row <= 20_000; row++)
        {
            // One publishes, and a slow fetch of another finds what may have been superseded since.
            int publisher = random.Next(Sharing);
            published[publisher].Add(row);
            _rows.Note(Sharer(publisher), row);
            int fetcher = random.Next(Sharing);
            if (published[fetcher].Count > 0)
            {
                _rows.Note(Sharer(fetcher), published[fetcher][^random.Next(1, int.Min(5, published[fetcher].Count + 1))]);
            }

            int looked = random.Next(Sharing);
            long newest = _rows.Find(Sharer(looked));
            Assert.True(newest == 0 || newest == published[looked][^1], $"found {newest} of device {looked} at {row}");
            found += newest == 0 ? 0 : 1;
        }

        Assert.InRange(found, 20_000 / 4, 20_000);
    }

    [Fact]
    public async Task What_a_publisher_has_noted_is_found_whatever_others_note_at_the_same_time()
    {
        await Task.WhenAll(Enumerable.Range(0, 4).Select(publisher => Task.Run(() =>
        {
            // Fewer devices than a place has room for, so that none gives way.
            DeviceId own = DeviceOf(set: 3, tag: (ushort)publisher);
            for (long row = 1; row < 200_000; row++)
            {
                _rows.Note(own, row);
                _rows.Note(own, row - 1);
                Assert.Equal(row, _rows.Find(own));
            }
        })));
    }

    [Fact]
    public async Task No_fetch_finds_a_row_that_its_device_had_superseded_before_whatever_others_note_at_the_same_time()
    {
        // More than a place has room for, and each with the rows that only it is given.
        var newest = new long[Sharing];
        long last = 0;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(seed => Task.Run(() =>
        {
            var random = new Random(seed);
            for (int i = 0; i < 200_000; i++)
            {
                int fetched = random.Next(Sharing);
                long before = Volatile.Read(ref newest[fetched]);
                long found = _rows.Find(Sharer(fetched));
                Assert.True(found == 0 || found >= before, $"found {found} after {before}");
                if (before > 0)
                {
                    _rows.Note(Sharer(fetched), before);
                }

                // Of one device one publishes at a time.
                int published = (random.Next(Sharing / 4) * 4) + seed;
                long row = Interlocked.Increment(ref last);
                _rows.Note(Sharer(published), row);
                Volatile.Write(ref newest[published], row);
            }
        })));
    }

    [Fact]
    public void A_row_whose_number_is_too_great_is_not_taken_for_another()
    {
        DeviceId device = DeviceOf(set: 1, tag: 1);
        _rows.Note(device, 5);
        _rows.Note(device, long.MaxValue - 1);
        Assert.Equal(long.MaxValue >> 16, _rows.Find(device));
    }

    private static DeviceId Sharer(int index) => DeviceOf(set: 3, tag: (ushort)index);

    private static DeviceId DeviceOf(uint set, ushort tag)
    {
        var bytes = new byte[DeviceId.Size];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, set);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(6), tag);
        return new DeviceId(bytes);
    }
}
