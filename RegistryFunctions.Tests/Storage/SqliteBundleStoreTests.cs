using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using RegistryFunctions.Bundles;
using RegistryFunctions.RateLimits;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Sqlite;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

/// <summary>What is SQLite's own; what it promises like every store is in <see cref="StoreTests"/>.</summary>
public sealed class SqliteBundleStoreTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    private string Db => _folder.File("store.db");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_file_is_in_write_ahead_mode_and_every_commit_is_flushed()
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
        Task[] publishes = [.. devices.Select((device, i) => PublishAsync(store, device, [(byte)i]))];
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
    public async Task A_bundle_that_there_is_no_room_for_does_not_take_the_others_of_its_batch_with_it()
    {
        using var clock = new HeldClock(_time.GetUtcNow());
        await using SqliteBundleStore store = Open(time: clock, maxBytes: 1024 * 1024);
        Task first = PublishAsync(store, new Device(), [1]);
        await clock.AskedAsync();
        Task<PublishOutcome> small = PublishAsync(store, new Device(), [2]);
        Task<PublishOutcome> large = PublishAsync(store, new Device(), new byte[2 * 1024 * 1024]);
        Task<PublishOutcome> last = PublishAsync(store, new Device(), [3]);
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
        Task first = PublishAsync(store, new Device(), [1]);
        await clock.AskedAsync();
        // Of one batch, which is undone and written again.
        Task<PublishOutcome> stored = PublishAsync(store, small, [2]);
        Task<PublishOutcome> refused = PublishAsync(store, large, new byte[2 * 1024 * 1024]);
        clock.Release();
        await first;
        Assert.Equal(PublishOutcome.Stored, await stored);
        Assert.Equal(StoreFault.Full, (await Assert.ThrowsAsync<StoreException>(() => refused)).Fault);
        Assert.Equal(PublishOutcome.Stored, await PublishAsync(store, large, [3]));
        Assert.Equal(PublishOutcome.TooMany, await PublishAsync(store, small, [4]));
        Assert.Equal(PublishOutcome.AlreadyCurrent, await PublishAsync(store, small, [2]));
    }

    [Fact]
    public async Task Who_waits_with_a_publish_that_is_told_busy_is_told_so_too_and_who_comes_after_it_is_not()
    {
        using var clock = new HeldClock(_time.GetUtcNow());
        await using SqliteBundleStore store = Open(time: clock);
        VerifiedBundle bundle = new Device().Bundle([1]);
        // Several batches, and not more than may wait.
        Task[] waiting = [.. Enumerable.Range(0, 2_000).Select(_ => PublishAsync())];
        Task[] again = [.. waiting.Select(refused => refused.ContinueWith(
            _ => PublishAsync(),
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default).Unwrap())];
        await clock.AskedAsync();
        clock.Fail(new StoreException(StoreFault.Busy, "locked"));
        await Task.WhenAll(again);
        Assert.All(waiting, refused => Assert.Equal(StoreFault.Busy, (refused.Exception?.InnerException as StoreException)?.Fault));

        Task PublishAsync() => store.PublishAsync(bundle, CancellationToken.None).AsTask();
    }

    [Fact]
    public async Task Probes_do_not_make_the_file_grow()
    {
        await using SqliteBundleStore store = Open();
        using var database = new Database(Db);
        long size = database.Scalar<long>("PRAGMA page_count");
        for (int i = 0; i < 50; i++)
        {
            await store.ProbeAsync();
        }

        Assert.Equal(size, database.Scalar<long>("PRAGMA page_count"));
    }

    [Fact]
    public async Task Closing_leaves_nothing_beside_the_file()
    {
        await using (SqliteBundleStore store = Open())
        {
            await PublishAsync(store, new Device(), [1]);
        }

        Assert.Equal([Db], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public async Task Publishing_goes_on_between_the_steps_of_a_prune()
    {
        using var clock = new HeldClock(_time.GetUtcNow(), held: false);
        await using SqliteBundleStore store = Open(time: clock);
        Device[] devices = [.. Enumerable.Range(0, 1_300).Select(_ => new Device())];
        await Task.WhenAll(devices.Select(device => PublishAsync(store, device, [1])));
        clock.Hold();
        Task<int> prune = store.PruneAsync(_time.GetUtcNow().AddDays(1), CancellationToken.None).AsTask();
        await clock.AskedAsync();
        Task published = PublishAsync(store, devices[0], [2]);
        clock.Answer();
        await clock.AskedAsync();
        clock.Answer();
        await published.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.False(prune.IsCompleted);
        clock.Release();
        Assert.Equal(1_301, await prune);
    }

    [Fact]
    public async Task A_prune_stops_after_the_step_in_which_its_caller_goes()
    {
        using var clock = new HeldClock(_time.GetUtcNow(), held: false);
        await using SqliteBundleStore store = Open(time: clock);
        await Task.WhenAll(Enumerable.Range(0, 1_300).Select(_ => PublishAsync(store, new Device(), [1])));
        clock.Hold();
        using var caller = new CancellationTokenSource();
        Task abandoned = store.PruneAsync(DateTimeOffset.MaxValue, caller.Token).AsTask();
        await clock.AskedAsync();
        await caller.CancelAsync();
        clock.Release();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => abandoned);
        using var database = new Database(Db);
        Assert.InRange(database.Scalar<long>("SELECT count(*) FROM bundle"), 1, 1_299);
    }

    [Fact]
    public async Task Closing_ends_a_prune_that_waits_with_busy()
    {
        using var clock = new HeldClock(_time.GetUtcNow());
        SqliteBundleStore store = Open(time: clock);
        Task published = PublishAsync(store, new Device(), [1]);
        await clock.AskedAsync();
        Task prune = store.PruneAsync(_time.GetUtcNow(), CancellationToken.None).AsTask();
        Task closing = store.DisposeAsync().AsTask();
        clock.Release();
        await Task.WhenAll(published, closing);
        StoreException busy = await Assert.ThrowsAsync<StoreException>(() => prune.WaitAsync(TimeSpan.FromMinutes(1)));
        Assert.Equal(StoreFault.Busy, busy.Fault);
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

    private SqliteBundleStore Open(TimeProvider? time = null, long maxBytes = 0, RateLimit<DeviceId>? limit = null) =>
        SqliteBundleStore.Open(
            new SqliteStoreOptions(Db, new StoreOptions(Keep: 5, TimeSpan.FromDays(90), PublishLimit: limit), maxBytes),
            time ?? _time,
            NullLogger.Instance);

    private static Task<PublishOutcome> PublishAsync(SqliteBundleStore store, Device device, byte[] payload) =>
        store.PublishAsync(device.Bundle(payload), CancellationToken.None).AsTask();
}
