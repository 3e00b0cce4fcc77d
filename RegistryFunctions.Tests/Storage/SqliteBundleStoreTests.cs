using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using RegistryFunctions.Bundles;
using RegistryFunctions.RateLimits;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Sqlite;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

public sealed class SqliteBundleStoreTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    private string Db => _folder.File("store.db");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task What_was_published_last_is_found()
    {
        await using SqliteBundleStore store = Open();
        var device = new Device();
        await PublishAsync(store, device, [1]);
        await PublishAsync(store, device, [2]);
        Bundle? newest = await store.FindNewestAsync(device.Id, CancellationToken.None);
        Assert.Equal([2], newest!.Payload.ToArray());
        Assert.Equal(device.Sign([2]), newest.Signature.Span);
        Assert.Null(await store.FindNewestAsync(new Device().Id, CancellationToken.None));
    }

    [Fact]
    public async Task Commits_are_durable_and_readers_do_not_wait_for_them()
    {
        await using SqliteBundleStore store = Open();
        using var database = new Database(Db);
        Assert.Equal("wal", database.Scalar<string>("PRAGMA journal_mode"));
        using SqliteSession session = SqliteFile.OpenForWriting(Db, SqliteSchema.Migrations);
        Assert.Equal(2, session.Scalar<long>("PRAGMA synchronous"));
    }

    [Fact]
    public async Task A_row_that_can_t_be_written_fails_alone()
    {
        await using SqliteBundleStore store = Open();
        using var database = new Database(Db);
        database.Execute(
            "CREATE TRIGGER poison BEFORE INSERT ON accepted WHEN NEW.payload = x'0D' BEGIN SELECT RAISE(ABORT, 'poison'); END");

        // Held back by the lock, all of them come in one or two batches.
        database.Execute("BEGIN IMMEDIATE");
        Device[] devices = [.. Enumerable.Range(0, 20).Select(_ => new Device())];
        Task[] publishes = [.. devices.Select((device, i) => PublishAsync(store, device, [(byte)i]).AsTask())];
        database.Execute("COMMIT");
        for (int i = 0; i < devices.Length; i++)
        {
            if (i == 13)
            {
                await Assert.ThrowsAnyAsync<Exception>(() => publishes[13]);
                Assert.Null(await store.FindNewestAsync(devices[13].Id, CancellationToken.None));
            }
            else
            {
                await publishes[i];
                Assert.NotNull(await store.FindNewestAsync(devices[i].Id, CancellationToken.None));
            }
        }
    }

    [Fact]
    public async Task A_publish_whose_caller_has_gone_is_not_written()
    {
        using var clock = new HeldClock(_time.GetUtcNow());
        await using SqliteBundleStore store = Open(time: clock);
        var (first, gone) = (new Device(), new Device());
        Task published = PublishAsync(store, first, [1]).AsTask();
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
    public async Task A_queue_that_is_full_says_busy_at_once()
    {
        using var clock = new HeldClock(_time.GetUtcNow());
        await using SqliteBundleStore store = Open(time: clock);
        VerifiedBundle bundle = new Device().Bundle([1]);
        var waiting = new List<Task>();
        StoreException? busy = null;
        while (busy is null && waiting.Count < 100_000)
        {
            Task publish = store.PublishAsync(bundle, CancellationToken.None).AsTask();
            waiting.Add(publish);
            busy = publish.Exception?.InnerException as StoreException;
        }

        clock.Release();
        Assert.Equal(StoreFault.Busy, busy?.Fault);
        await Task.WhenAll(waiting.SkipLast(1));
    }

    [Fact]
    public async Task A_bundle_that_there_is_no_room_for_does_not_take_the_others_of_its_batch_with_it()
    {
        using var clock = new HeldClock(_time.GetUtcNow());
        await using SqliteBundleStore store = Open(time: clock, maxBytes: 1024 * 1024);
        Task first = PublishAsync(store, new Device(), [1]).AsTask();
        await clock.AskedAsync();
        Task<PublishOutcome> small = PublishAsync(store, new Device(), [2]).AsTask();
        Task<PublishOutcome> large = PublishAsync(store, new Device(), new byte[2 * 1024 * 1024]).AsTask();
        Task<PublishOutcome> last = PublishAsync(store, new Device(), [3]).AsTask();
        clock.Release();
        await first;
        Assert.Equal(PublishOutcome.Stored, await small);
        Assert.Equal(StoreFault.Full, (await Assert.ThrowsAsync<StoreException>(() => large)).Fault);
        Assert.Equal(PublishOutcome.Stored, await last);
    }

    [Fact]
    public async Task What_there_is_no_room_for_costs_no_device_its_allowance()
    {
        using var clock = new HeldClock(_time.GetUtcNow());
        await using SqliteBundleStore store = Open(
            time: clock, maxBytes: 1024 * 1024, limit: new RateLimit<DeviceId>(1, TimeSpan.FromHours(1)));
        var (large, small) = (new Device(), new Device());
        Task first = PublishAsync(store, new Device(), [1]).AsTask();
        await clock.AskedAsync();
        // Of one batch, which is undone and written again.
        Task<PublishOutcome> stored = PublishAsync(store, small, [2]).AsTask();
        Task<PublishOutcome> refused = PublishAsync(store, large, new byte[2 * 1024 * 1024]).AsTask();
        clock.Release();
        await first;
        Assert.Equal(PublishOutcome.Stored, await stored);
        Assert.Equal(StoreFault.Full, (await Assert.ThrowsAsync<StoreException>(() => refused)).Fault);
        Assert.Equal(PublishOutcome.Stored, await PublishAsync(store, large, [3]));
        Assert.Equal(PublishOutcome.TooMany, await PublishAsync(store, small, [4]));
        Assert.Equal(PublishOutcome.AlreadyCurrent, await PublishAsync(store, small, [2]));
    }

    [Fact]
    public async Task A_probe_of_another_store_on_the_file_changes_nothing_for_fetches_and_publishes()
    {
        await using SqliteBundleStore one = Open();
        await using SqliteBundleStore two = Open();
        var device = new Device();
        using var database = new Database(Db);
        for (byte i = 0; i < 50; i++)
        {
            await PublishAsync(one, device, [i]);
            long size = database.Scalar<long>("PRAGMA page_count");
            await Task.WhenAll(two.ProbeAsync().AsTask(), one.ProbeAsync().AsTask());
            Assert.Equal([i], (await one.FindNewestAsync(device.Id, CancellationToken.None))!.Payload.ToArray());
            Assert.Equal(PublishOutcome.AlreadyCurrent, await PublishAsync(one, device, [i]));
            Assert.Equal(size, database.Scalar<long>("PRAGMA page_count"));
        }
    }

    [Fact]
    public async Task A_lock_makes_all_that_wait_for_it_wait_no_longer_than_the_first()
    {
        await using SqliteBundleStore store = Open();
        using var database = new Database(Db);
        database.Execute("BEGIN IMMEDIATE");
        // More than one batch.
        Task[] waiting = [.. Enumerable.Range(0, 1_200).Select(_ => PublishAsync(store, new Device(), [1]).AsTask())];
        await Assert.ThrowsAsync<StoreException>(async () => await await Task.WhenAny(waiting));
        database.Execute("ROLLBACK");
        foreach (Task publish in waiting)
        {
            Assert.Equal(StoreFault.Busy, (await Assert.ThrowsAsync<StoreException>(() => publish)).Fault);
        }
    }

    [Fact]
    public async Task Closing_writes_what_waits_and_then_says_busy()
    {
        using var clock = new HeldClock(_time.GetUtcNow());
        SqliteBundleStore store = Open(time: clock);
        Device[] devices = [.. Enumerable.Range(0, 50).Select(_ => new Device())];
        Task first = PublishAsync(store, devices[0], [1]).AsTask();
        await clock.AskedAsync();
        Task[] waiting = [.. devices[1..].Select(device => PublishAsync(store, device, [1]).AsTask())];
        Thread closing = BeginToClose(store);
        clock.Release();
        closing.Join();
        await Task.WhenAll([first, .. waiting]);
        StoreException busy = await Assert.ThrowsAsync<StoreException>(() => PublishAsync(store, devices[0], [2]).AsTask());
        Assert.Equal(StoreFault.Busy, busy.Fault);
        busy = await Assert.ThrowsAsync<StoreException>(() => store.ProbeAsync().AsTask());
        Assert.Equal(StoreFault.Busy, busy.Fault);
        Assert.Equal([Db], Directory.GetFiles(_folder.Path));
        using var database = new Database(Db);
        Assert.Equal(50, database.Scalar<long>("SELECT count(*) FROM bundle"));
    }

    [Fact]
    public async Task A_prune_of_many_steps_drops_all_that_is_due_and_nothing_else()
    {
        await using SqliteBundleStore store = Open();
        Device[] devices = [.. Enumerable.Range(0, 1_300).Select(_ => new Device())];
        await Task.WhenAll(devices.Select(device => PublishAsync(store, device, [1]).AsTask()));
        _time.Advance(TimeSpan.FromDays(1));
        var kept = new Device();
        await PublishAsync(store, kept, [2]);
        Assert.Equal(1_300, await store.PruneAsync(_time.GetUtcNow(), CancellationToken.None));
        Assert.Equal(0, await store.PruneAsync(_time.GetUtcNow(), CancellationToken.None));
        Assert.NotNull(await store.FindNewestAsync(kept.Id, CancellationToken.None));
    }

    [Fact]
    public async Task Publishing_goes_on_between_the_steps_of_a_prune()
    {
        using var clock = new HeldClock(_time.GetUtcNow(), held: false);
        await using SqliteBundleStore store = Open(time: clock);
        Device[] devices = [.. Enumerable.Range(0, 1_300).Select(_ => new Device())];
        await Task.WhenAll(devices.Select(device => PublishAsync(store, device, [1]).AsTask()));
        clock.Hold();
        Task<int> prune = store.PruneAsync(_time.GetUtcNow().AddDays(1), CancellationToken.None).AsTask();
        await clock.AskedAsync();
        Task published = PublishAsync(store, devices[0], [2]).AsTask();
        clock.Answer();
        await clock.AskedAsync();
        clock.Answer();
        try
        {
            await published.WaitAsync(TimeSpan.FromMinutes(1));
            Assert.False(prune.IsCompleted);
        }
        finally
        {
            // A writer that is still held could not be closed.
            clock.Release();
        }

        Assert.Equal(1_301, await prune);
    }

    [Fact]
    public async Task A_prune_whose_caller_has_gone_stops()
    {
        using var clock = new HeldClock(_time.GetUtcNow());
        await using SqliteBundleStore store = Open(time: clock);
        var device = new Device();
        Task published = PublishAsync(store, device, [1]).AsTask();
        await clock.AskedAsync();
        using var caller = new CancellationTokenSource();
        Task abandoned = store.PruneAsync(DateTimeOffset.MaxValue, caller.Token).AsTask();
        await caller.CancelAsync();
        clock.Release();
        await published;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => abandoned);
        Assert.NotNull(await store.FindNewestAsync(device.Id, CancellationToken.None));
    }

    [Fact]
    public async Task Closing_ends_a_prune_that_waits_with_busy()
    {
        using var clock = new HeldClock(_time.GetUtcNow());
        SqliteBundleStore store = Open(time: clock);
        Task published = PublishAsync(store, new Device(), [1]).AsTask();
        await clock.AskedAsync();
        Task prune = store.PruneAsync(_time.GetUtcNow(), CancellationToken.None).AsTask();
        Thread closing = BeginToClose(store);
        clock.Release();
        await published;
        closing.Join();
        StoreException busy = await Assert.ThrowsAsync<StoreException>(() => prune.WaitAsync(TimeSpan.FromMinutes(1)));
        Assert.Equal(StoreFault.Busy, busy.Fault);
    }

    [Fact]
    public async Task Two_stores_on_one_file_may_publish_at_once()
    {
        await using SqliteBundleStore one = Open();
        await using SqliteBundleStore two = Open();
        await Task.WhenAll(((SqliteBundleStore[])[one, two]).Select(store => Task.Run(async () =>
        {
            for (int i = 0; i < 100; i++)
            {
                await PublishAsync(store, new Device(), [1]);
            }
        })));
        using var database = new Database(Db);
        Assert.Equal(200, database.Scalar<long>("SELECT count(*) FROM bundle"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_two_stores_on_one_file_each_sees_the_other_s_last_publish_at_once(bool prunes)
    {
        await using SqliteBundleStore one = Open();
        await using SqliteBundleStore two = Open();
        var (device, repeating) = (new Device(), new Device());
        await PublishAsync(one, repeating, [1]);
        for (int i = 0; i < 300; i++)
        {
            // Neither a repeat nor a prune of nothing changes the file, while the other store does.
            _time.Advance(TimeSpan.FromMinutes(2));
            Assert.Equal(PublishOutcome.AlreadyCurrent, await PublishAsync(one, repeating, [1]));
            await one.FindNewestAsync(device.Id, CancellationToken.None);
            Task published = Task.Run(() => PublishAsync(two, device, BitConverter.GetBytes(i)).AsTask());
            do
            {
                await (prunes
                    ? one.PruneAsync(DateTimeOffset.UnixEpoch, CancellationToken.None).AsTask()
                    : (Task)PublishAsync(one, repeating, [1]).AsTask());
            }
            while (!published.IsCompleted);
            await published;
            Bundle? newest = await one.FindNewestAsync(device.Id, CancellationToken.None);
            Assert.Equal(i, BitConverter.ToInt32(newest!.Payload.Span));
        }
    }

    [Fact]
    public async Task A_lowered_limit_is_applied_by_the_next_prune_to_every_device()
    {
        Device[] devices = [.. Enumerable.Range(0, 600).Select(_ => new Device())];
        await using (SqliteBundleStore store = Open(keep: 3))
        {
            await Task.WhenAll(devices.SelectMany(d => Enumerable.Range(0, 4).Select(i => PublishAsync(store, d, [(byte)i]).AsTask())));
        }

        await using (SqliteBundleStore store = Open(keep: 1))
        {
            Assert.Equal(1_200, await store.PruneAsync(DateTimeOffset.UnixEpoch, CancellationToken.None));
            Assert.Equal(0, await store.PruneAsync(DateTimeOffset.UnixEpoch, CancellationToken.None));
            foreach (Device device in devices)
            {
                Assert.Equal([3], (await store.FindNewestAsync(device.Id, CancellationToken.None))!.Payload.ToArray());
            }
        }
    }

    [Fact]
    public void A_file_that_lost_a_table_is_refused_with_one_line()
    {
        SqliteFile.OpenForWriting(Db, SqliteSchema.Migrations).Dispose();
        using (var database = new Database(Db))
        {
            database.Execute("DROP TABLE held_per_device");
        }

        StoreOpenException refused = Assert.Throws<StoreOpenException>(() => Open());
        Assert.Contains("no such table: held_per_device", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
    }

    [Fact]
    public async Task Two_stores_on_one_file_keep_the_limit_together()
    {
        await using SqliteBundleStore one = Open(keep: 2);
        await using SqliteBundleStore two = Open(keep: 2);
        var device = new Device();
        for (byte i = 0; i < 10; i++)
        {
            await PublishAsync(i % 2 == 0 ? one : two, device, [i]);
            Bundle? newest = await (i % 2 == 0 ? two : one).FindNewestAsync(device.Id, CancellationToken.None);
            Assert.Equal([i], newest!.Payload.ToArray());
        }

        using var database = new Database(Db);
        Assert.Equal(2, database.Scalar<long>("SELECT count(*) FROM bundle"));
    }

    // Returns once the store takes no more requests and waits for its writer.
    private static Thread BeginToClose(SqliteBundleStore store)
    {
        var closing = new Thread(() => store.DisposeAsync().AsTask().Wait());
        closing.Start();
        while (closing.IsAlive && closing.ThreadState != ThreadState.WaitSleepJoin)
        {
            Thread.Yield();
        }

        return closing;
    }

    private SqliteBundleStore Open(
        int keep = 5, TimeProvider? time = null, long maxBytes = 0, RateLimit<DeviceId>? limit = null) => SqliteBundleStore.Open(
            new SqliteStoreOptions(Db, keep, TimeSpan.FromDays(90), maxBytes, PublishLimit: limit),
            time ?? _time,
            NullLogger.Instance);

    private static ValueTask<PublishOutcome> PublishAsync(SqliteBundleStore store, Device device, byte[] payload) =>
        store.PublishAsync(device.Bundle(payload), CancellationToken.None);
}
