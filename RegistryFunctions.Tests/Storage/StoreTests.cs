using Microsoft.Extensions.Time.Testing;
using RegistryFunctions.Bundles;
using RegistryFunctions.RateLimits;
using RegistryFunctions.Storage;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

/// <summary>What every store promises, whatever it keeps its data in.</summary>
public abstract class StoreTests : IAsyncDisposable
{
    // Above what any store lets wait.
    private const int TooMany = 100_000;

    private readonly IStoreData _data;
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    private protected StoreTests(IStoreData data) => _data = data;

    public ValueTask DisposeAsync() => _data.DisposeAsync();

    [Fact]
    public async Task What_was_published_last_is_found()
    {
        await using IBundleStore store = await OpenAsync();
        var device = new Device();
        await PublishAsync(store, device, [1]);
        await PublishAsync(store, device, [2]);
        Bundle? newest = await store.FindNewestAsync(device.Id, CancellationToken.None);
        Assert.Equal([2], newest!.Payload.ToArray());
        Assert.Equal(device.Sign([2]), newest.Signature.Span);
        Assert.Null(await store.FindNewestAsync(new Device().Id, CancellationToken.None));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(64 * 1024)]
    public async Task A_payload_of_any_size_is_found_by_the_next_process(int size)
    {
        var device = new Device();
        byte[] payload = Device.RandomPayload(size);
        await using (IBundleStore store = await OpenAsync())
        {
            await PublishAsync(store, device, payload);
        }

        await using (IBundleStore store = await OpenAsync())
        {
            Assert.Equal(PublishOutcome.AlreadyCurrent, await PublishAsync(store, device, payload));
            await AssertNewestAsync(store, device, payload);
        }
    }

    [Fact]
    public async Task Bundles_are_accepted_in_the_order_of_the_calls()
    {
        await using IBundleStore store = await OpenAsync();
        var device = new Device();
        Task<PublishOutcome>[] publishes = [.. ((byte[])[1, 2, 2, 1, 3]).Select(payload => PublishAsync(store, device, [payload]))];
        Assert.Equal(
            [PublishOutcome.Stored, PublishOutcome.Stored, PublishOutcome.AlreadyCurrent, PublishOutcome.Replayed, PublishOutcome.Stored],
            await Task.WhenAll(publishes));
        await AssertNewestAsync(store, device, [3]);
    }

    [Fact]
    public async Task A_device_that_has_added_its_share_may_repeat_and_is_told_of_replays()
    {
        await using IBundleStore store = await OpenAsync(limit: new RateLimit<DeviceId>(2, TimeSpan.FromHours(1)));
        var device = new Device();
        Assert.Equal(PublishOutcome.Stored, await PublishAsync(store, device, [1]));
        Assert.Equal(PublishOutcome.AlreadyCurrent, await PublishAsync(store, device, [1]));
        Assert.Equal(PublishOutcome.Stored, await PublishAsync(store, device, [2]));
        Assert.Equal(PublishOutcome.TooMany, await PublishAsync(store, device, [3]));
        Assert.Equal(PublishOutcome.Replayed, await PublishAsync(store, device, [1]));
        Assert.Equal(PublishOutcome.AlreadyCurrent, await PublishAsync(store, device, [2]));
        Assert.Equal(PublishOutcome.Stored, await PublishAsync(store, new Device(), [3]));
        await AssertNewestAsync(store, device, [2]);
    }

    [Fact]
    public async Task The_share_of_a_device_is_kept_among_publishes_that_come_at_once()
    {
        await using IBundleStore store = await OpenAsync(limit: new RateLimit<DeviceId>(2, TimeSpan.FromHours(1)));
        var device = new Device();
        PublishOutcome[] outcomes = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => PublishAsync(store, device, [(byte)i])));
        Assert.Equal(2, outcomes.Count(outcome => outcome == PublishOutcome.Stored));
        Assert.Equal(18, outcomes.Count(outcome => outcome == PublishOutcome.TooMany));
    }

    [Fact]
    public async Task A_publish_whose_caller_has_gone_is_not_written()
    {
        using var clock = new HeldClock(_time.GetUtcNow());
        await using IBundleStore store = await OpenAsync(time: clock);
        var (first, gone) = (new Device(), new Device());
        Task published = PublishAsync(store, first, [1]);
        await clock.AskedAsync();
        using var caller = new CancellationTokenSource();
        Task abandoned = store.PublishAsync(gone.Bundle([2]), caller.Token).AsTask();
        await caller.CancelAsync();
        clock.Release();
        await published;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => abandoned);
        Assert.Null(await store.FindNewestAsync(gone.Id, CancellationToken.None));
    }

    [Fact]
    public async Task When_too_many_wait_one_more_is_told_busy_at_once()
    {
        using var clock = new HeldClock(_time.GetUtcNow());
        await using IBundleStore store = await OpenAsync(time: clock);
        VerifiedBundle bundle = new Device().Bundle([1]);
        var publishes = new List<Task<PublishOutcome>>();
        do
        {
            publishes.Add(store.PublishAsync(bundle, CancellationToken.None).AsTask());
        }
        while (!publishes[^1].IsFaulted && publishes.Count < TooMany);

        // Nobody is answered otherwise, as the store is held.
        Task refused = await Task.WhenAny(publishes).WaitAsync(TimeSpan.FromMinutes(1));
        await AssertBusyAsync(() => refused);
        clock.Release();
        Assert.Equal(PublishOutcome.Stored, await publishes[0]);
        Assert.Equal(PublishOutcome.AlreadyCurrent, await publishes[1]);
    }

    [Fact]
    public async Task Closing_does_what_waits_and_says_busy_from_then_on()
    {
        using var clock = new HeldClock(_time.GetUtcNow());
        IBundleStore store = await OpenAsync(time: clock);
        Device[] devices = [.. Enumerable.Range(0, 50).Select(_ => new Device())];
        Task first = PublishAsync(store, devices[0], [1]);
        await clock.AskedAsync();
        Task[] waiting = [.. devices[1..].Select(device => PublishAsync(store, device, [1]))];
        Task closing = store.DisposeAsync().AsTask();
        await AssertBusyAsync(() => PublishAsync(store, devices[0], [2]));
        await AssertBusyAsync(() => store.FindNewestAsync(devices[0].Id, CancellationToken.None).AsTask());
        await AssertBusyAsync(() => store.PruneAsync(DateTimeOffset.MaxValue, CancellationToken.None).AsTask());
        await AssertBusyAsync(() => store.ProbeAsync().AsTask());
        Assert.False(first.IsCompleted);
        clock.Release();
        await Task.WhenAll([closing, first, .. waiting]);
        await using IBundleStore next = await OpenAsync();
        foreach (Device device in devices)
        {
            await AssertNewestAsync(next, device, [1]);
        }
    }

    [Fact]
    public async Task While_another_process_keeps_it_from_writing_it_says_busy_and_fetches_and_then_it_works_again()
    {
        await using IBundleStore store = await OpenAsync();
        var device = new Device();
        await PublishAsync(store, device, [1]);
        await using (await _data.LockAsync())
        {
            Func<Task>[] writes =
            [
                () => PublishAsync(store, device, [2]),
                () => store.ProbeAsync().AsTask(),
                () => store.PruneAsync(DateTimeOffset.MaxValue, CancellationToken.None).AsTask(),
            ];
            Task refusals = Task.WhenAll(writes.Select(AssertBusyAsync));
            await AssertNewestAsync(store, device, [1]);
            await refusals;
            await AssertNewestAsync(store, device, [1]);
        }

        await store.ProbeAsync();
        Assert.Equal(PublishOutcome.Stored, await PublishAsync(store, device, [2]));
        await AssertNewestAsync(store, device, [2]);
    }

    [Fact]
    public async Task Probes_change_nothing_for_any_process()
    {
        await using IBundleStore one = await OpenAsync();
        await using IBundleStore two = await OpenAsync();
        var device = new Device();
        for (byte i = 0; i < 20; i++)
        {
            await PublishAsync(one, device, [i]);
            await Task.WhenAll(two.ProbeAsync().AsTask(), one.ProbeAsync().AsTask());
            await AssertNewestAsync(one, device, [i]);
            Assert.Equal(PublishOutcome.AlreadyCurrent, await PublishAsync(one, device, [i]));
        }

        Assert.Equal((5, 15), await _data.CountAsync(device.Id));
        Assert.Equal(0, await one.PruneAsync(DateTimeOffset.UnixEpoch, CancellationToken.None));
    }

    [Fact]
    public async Task A_prune_of_many_drops_all_that_is_due_and_nothing_else()
    {
        await using IBundleStore store = await OpenAsync();
        await Task.WhenAll(Enumerable.Range(0, 1_300).Select(_ => PublishAsync(store, new Device(), [1])));
        _time.Advance(TimeSpan.FromDays(1));
        var kept = new Device();
        await PublishAsync(store, kept, [2]);
        Assert.Equal(1_300, await store.PruneAsync(_time.GetUtcNow(), CancellationToken.None));
        Assert.Equal(0, await store.PruneAsync(_time.GetUtcNow(), CancellationToken.None));
        Assert.Equal(1, await CountAsync(store));
        await AssertNewestAsync(store, kept, [2]);
    }

    [Fact]
    public async Task A_prune_that_comes_during_another_has_nothing_left_that_is_due()
    {
        await using IBundleStore store = await OpenAsync();
        await Task.WhenAll(Enumerable.Range(0, 600).Select(_ => PublishAsync(store, new Device(), [1])));
        Task<int>[] prunes = [.. Enumerable.Range(0, 2).Select(
            _ => store.PruneAsync(DateTimeOffset.MaxValue, CancellationToken.None).AsTask())];
        await Task.WhenAny(prunes);
        Assert.Equal(0, await CountAsync(store));
        Assert.Equal(600, (await Task.WhenAll(prunes)).Sum());
    }

    [Fact]
    public async Task A_prune_whose_caller_has_gone_drops_nothing()
    {
        await using IBundleStore store = await OpenAsync();
        var device = new Device();
        await PublishAsync(store, device, [1]);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => store.PruneAsync(DateTimeOffset.MaxValue, new CancellationToken(canceled: true)).AsTask());
        await AssertNewestAsync(store, device, [1]);
    }

    [Fact]
    public async Task It_counts_what_was_received_before_a_time_and_says_whether_that_is_most()
    {
        await using IBundleStore store = await OpenAsync();
        DateTimeOffset start = _time.GetUtcNow();
        Assert.Equal((0, false), await store.CountReceivedBeforeAsync(DateTimeOffset.MaxValue, CancellationToken.None));
        for (int hour = 0; hour < 4; hour++)
        {
            await PublishAsync(store, new Device(), [1]);
            _time.Advance(TimeSpan.FromHours(1));
        }

        Assert.Equal((0, false), await store.CountReceivedBeforeAsync(start, CancellationToken.None));
        Assert.Equal((2, false), await store.CountReceivedBeforeAsync(start.AddHours(2), CancellationToken.None));
        Assert.Equal((3, true), await store.CountReceivedBeforeAsync(start.AddHours(3), CancellationToken.None));
        Assert.Equal((4, true), await store.CountReceivedBeforeAsync(DateTimeOffset.MaxValue, CancellationToken.None));
    }

    [Fact]
    public async Task A_lowered_limit_is_applied_by_the_next_prune_to_every_device()
    {
        Device[] devices = [.. Enumerable.Range(0, 600).Select(_ => new Device())];
        await using (IBundleStore store = await OpenAsync(keep: 3))
        {
            await Task.WhenAll(devices.SelectMany(device => Enumerable.Range(0, 4).Select(i => PublishAsync(store, device, [(byte)i]))));
        }

        await using (IBundleStore store = await OpenAsync(keep: 1))
        {
            Assert.Equal(1_200, await store.PruneAsync(DateTimeOffset.UnixEpoch, CancellationToken.None));
            Assert.Equal(0, await store.PruneAsync(DateTimeOffset.UnixEpoch, CancellationToken.None));
            foreach (Device device in devices)
            {
                await AssertNewestAsync(store, device, [3]);
            }
        }
    }

    [Fact]
    public async Task Two_processes_may_publish_at_once()
    {
        await using IBundleStore one = await OpenAsync();
        await using IBundleStore two = await OpenAsync();
        await Task.WhenAll(((IBundleStore[])[one, two]).Select(store => Task.Run(async () =>
        {
            for (int i = 0; i < 100; i++)
            {
                await PublishAsync(store, new Device(), [1]);
            }
        })));
        Assert.Equal(200, await CountAsync(one));
    }

    [Fact]
    public async Task Two_processes_keep_the_limit_of_a_device_together()
    {
        await using IBundleStore one = await OpenAsync(keep: 2);
        await using IBundleStore two = await OpenAsync(keep: 2);
        var device = new Device();
        for (byte i = 0; i < 10; i++)
        {
            await PublishAsync(i % 2 == 0 ? one : two, device, [i]);
            await AssertNewestAsync(i % 2 == 0 ? two : one, device, [i]);
        }

        Assert.Equal((2, 8), await _data.CountAsync(device.Id));
    }

    [Fact]
    public async Task Two_processes_that_publish_for_one_device_at_once_accept_each_payload_once()
    {
        await using IBundleStore one = await OpenAsync(keep: 2);
        await using IBundleStore two = await OpenAsync(keep: 2);
        var device = new Device();
        PublishOutcome[][] outcomes = await Task.WhenAll(((IBundleStore[])[one, two]).Select(store => Task.Run(async () =>
        {
            var told = new List<PublishOutcome>();
            for (int i = 0; i < 100; i++)
            {
                told.Add(await PublishAsync(store, device, [(byte)i]));
            }

            return told.ToArray();
        })));
        Assert.Equal(100, outcomes.Sum(told => told.Count(outcome => outcome == PublishOutcome.Stored)));
        Assert.Equal((2, 98), await _data.CountAsync(device.Id));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_two_processes_each_sees_the_other_s_last_publish_at_once(bool prunes)
    {
        await using IBundleStore one = await OpenAsync();
        await using IBundleStore two = await OpenAsync();
        var (device, repeating) = (new Device(), new Device());
        await PublishAsync(one, repeating, [1]);
        for (int i = 0; i < 300; i++)
        {
            // Neither a repeat nor a prune of nothing changes the data, while the other store does.
            _time.Advance(TimeSpan.FromMinutes(2));
            Assert.Equal(PublishOutcome.AlreadyCurrent, await PublishAsync(one, repeating, [1]));
            await one.FindNewestAsync(device.Id, CancellationToken.None);
            byte[] payload = BitConverter.GetBytes(i);
            Task published = Task.Run(() => PublishAsync(two, device, payload));
            do
            {
                await (prunes
                    ? one.PruneAsync(DateTimeOffset.UnixEpoch, CancellationToken.None).AsTask()
                    : (Task)PublishAsync(one, repeating, [1]));
            }
            while (!published.IsCompleted);
            await published;
            await AssertNewestAsync(one, device, payload);
        }
    }

    private static async Task AssertNewestAsync(IBundleStore store, Device device, byte[] payload)
    {
        Bundle? newest = await store.FindNewestAsync(device.Id, CancellationToken.None);
        Assert.Equal(payload, newest?.Payload.ToArray());
    }

    private static async Task AssertBusyAsync(Func<Task> request) =>
        Assert.Equal(StoreFault.Busy, (await Assert.ThrowsAsync<StoreException>(request)).Fault);

    private static async Task<long> CountAsync(IBundleStore store) =>
        (await store.CountReceivedBeforeAsync(DateTimeOffset.MaxValue, CancellationToken.None)).Count;

    private static Task<PublishOutcome> PublishAsync(IBundleStore store, Device device, byte[] payload) =>
        store.PublishAsync(device.Bundle(payload), CancellationToken.None).AsTask();

    private ValueTask<IBundleStore> OpenAsync(int keep = 5, TimeProvider? time = null, RateLimit<DeviceId>? limit = null) =>
        _data.OpenAsync(new StoreOptions(keep, TimeSpan.FromDays(90), PublishLimit: limit), time ?? _time);

    public sealed class Sqlite() : StoreTests(new SqliteData());

    public sealed class Postgres() : StoreTests(new PostgresData());

    public sealed class PostgresDeviceByDevice() : StoreTests(new PostgresData(transactionPerDevice: true));
}
