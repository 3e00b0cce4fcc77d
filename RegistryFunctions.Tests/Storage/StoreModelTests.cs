using System.Globalization;
using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Sqlite;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

/// <summary>
/// Whatever is done to a store in whatever order, it does as <see cref="StoreModel"/> says. A failure prints the shortest
/// sequence found and a seed: CsCheck_Seed repeats it, CsCheck_Iter searches longer.
/// </summary>
public sealed class StoreModelTests
{
    private const int Devices = 3;
    private const int Payloads = 6;
    private const int FirstOfFlood = 100;
    private static readonly TimeSpan Retention = TimeSpan.FromDays(30);

    private static readonly VerifiedBundle[][] Bundles =
    [
        .. Enumerable.Range(0, Devices).Select(_ => new Device()).Select(device => Enumerable.Range(0, FirstOfFlood + 150)
            .Select(payload => device.Bundle(BitConverter.GetBytes(payload))).ToArray()),
    ];

    private static readonly Gen<Publication> AnyPublication = Gen.Select(
        Gen.Int[0, Devices - 1], Gen.Int[0, Payloads - 1], (device, payload) => new Publication(device, payload));

    private static readonly Gen<Step> ClockMoves =
        Gen.OneOf(-400, -61, -31, -1, 1, 5, 11, 31, 61, 100, 400).Select(days => (Step)new MoveClock(days));

    private static readonly Gen<Step> Restarts = Gen.Select(
        Gen.Int[1, 4], Gen.OneOf(0, 10, 90), (keep, window) => (Step)new Restart(keep, window));

    [Fact]
    public Task Publishes_retries_replays_prunes_clock_changes_and_restarts_do_as_the_model_says()
    {
        Gen<Step> steps = Gen.Frequency(
            (10, AnyPublication.Array[1, 5].Select(publications => (Step)new PublishAtOnce(publications))),
            (3, ClockMoves),
            (3, Gen.Const<Step>(new PruneNow())),
            (1, Gen.Const<Step>(new HandOver())),
            (1, Restarts));
        return steps.Array[1, 40].SampleAsync(AssertFollowsModelAsync, print: Print);
    }

    [Fact]
    public Task What_is_remembered_of_a_device_that_publishes_without_end_is_what_the_model_says()
    {
        Gen<Step> steps = Gen.Frequency(
            (4, AnyPublication.Select(publication => (Step)new PublishAtOnce([publication]))),
            (2, Gen.Select(Gen.Int[0, Devices - 1], Gen.Int[1, 150], (device, count) => (Step)new Flood(device, count))),
            (1, ClockMoves),
            (1, Gen.Const<Step>(new PruneNow())),
            (1, Restarts));
        return steps.Array[1, 15].SampleAsync(AssertFollowsModelAsync, print: Print);
    }

    private static async Task AssertFollowsModelAsync(Step[] steps)
    {
        await using var run = new Run();
        foreach (Step step in steps)
        {
            await step.TakeAsync(run);
            await run.AssertSameAsync();
        }
    }

    private static string Print(Step[] steps) => string.Join("; ", steps.Select(step => step.ToString()));

    private abstract record Step
    {
        public abstract Task TakeAsync(Run run);
    }

    private sealed record Publication(int Device, int Payload);

    /// <summary>Handed over together, so that they come in one transaction or few.</summary>
    private sealed record PublishAtOnce(Publication[] Publications) : Step
    {
        public override async Task TakeAsync(Run run)
        {
            PublishOutcome[] expected = [.. Publications.Select(p => run.Model.Publish(p.Device, p.Payload, run.Now))];
            Task<PublishOutcome>[] published = [.. Publications.Select(p => run.PublishAsync(p.Device, p.Payload))];
            Assert.Equal(expected, await Task.WhenAll(published));
        }

        public override string ToString() => $"publish {string.Join(", ", Publications.Select(p => $"{p.Device}:{p.Payload}"))}";
    }

    /// <summary>One after another, a millisecond apart: which are the newest is then known.</summary>
    private sealed record Flood(int Device, int Count) : Step
    {
        public override async Task TakeAsync(Run run)
        {
            for (int i = 0; i < Count; i++)
            {
                PublishOutcome expected = run.Model.Publish(Device, FirstOfFlood + i, run.Now);
                Assert.Equal(expected, await run.PublishAsync(Device, FirstOfFlood + i));
                run.MoveClock(TimeSpan.Zero);
            }
        }
    }

    private sealed record MoveClock(int Days) : Step
    {
        public override Task TakeAsync(Run run)
        {
            run.MoveClock(TimeSpan.FromDays(Days));
            return Task.CompletedTask;
        }
    }

    private sealed record PruneNow : Step
    {
        public override async Task TakeAsync(Run run) =>
            Assert.Equal(run.Model.Prune(run.Now - Retention, run.Now), await run.PruneAsync());
    }

    /// <summary>What follows is done by another process.</summary>
    private sealed record HandOver : Step
    {
        public override Task TakeAsync(Run run)
        {
            run.HandOver();
            return Task.CompletedTask;
        }
    }

    private sealed record Restart(int Keep, int WindowDays) : Step
    {
        public override Task TakeAsync(Run run) => run.OpenAsync(Keep, TimeSpan.FromDays(WindowDays));
    }

    /// <summary>A store on a file of its own, perhaps another on the same, and the model beside them.</summary>
    private sealed class Run : IAsyncDisposable
    {
        private readonly TestFolder _folder = new();
        private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        private SqliteBundleStore _store;
        private SqliteBundleStore? _other;

        public Run() => _store = Open(keep: 2, TimeSpan.FromDays(90));

        public StoreModel Model { get; } = new();

        public DateTimeOffset Now => _time.GetUtcNow();

        private string Db => _folder.File("store.db");

        public async Task OpenAsync(int keep, TimeSpan window)
        {
            await CloseAsync();
            _store = Open(keep, window);
        }

        public void HandOver() => (_store, _other) = (_other ?? Open(Model.Keep, Model.Window), _store);

        // And a millisecond more, so that no two steps are of the same time.
        public void MoveClock(TimeSpan by) => _time.AdjustTime(Now + by + TimeSpan.FromMilliseconds(1));

        public Task<PublishOutcome> PublishAsync(int device, int payload) =>
            _store.PublishAsync(Bundles[device][payload], CancellationToken.None).AsTask();

        public Task<int> PruneAsync() => _store.PruneAsync(Now - Retention, CancellationToken.None).AsTask();

        public async Task AssertSameAsync()
        {
            using var database = new Database(Db);
            for (int device = 0; device < Devices; device++)
            {
                VerifiedBundle[] bundles = Bundles[device];
                Bundle? expected = Model.Newest(device) is { } payload ? bundles[payload].Bundle : null;
                await AssertNewestAsync(expected, bundles[0].Device, _store);
                await AssertNewestAsync(expected, bundles[0].Device, _other ?? _store);
                Assert.Equal(Model.Held(device), Count(database, "bundle", bundles[0].Device));
                Assert.Equal(Model.Remembered(device), Count(database, "spent", bundles[0].Device));
            }

            MoveClock(TimeSpan.Zero);
        }

        public async ValueTask DisposeAsync()
        {
            await CloseAsync();
            _folder.Dispose();
        }

        private static async Task AssertNewestAsync(Bundle? expected, DeviceId device, SqliteBundleStore store)
        {
            Bundle? newest = await store.FindNewestAsync(device, CancellationToken.None);
            Assert.Equal(expected?.Payload.ToArray(), newest?.Payload.ToArray());
            Assert.Equal(expected?.Signature.Span.ToArray(), newest?.Signature.Span.ToArray());
        }

        private async Task CloseAsync()
        {
            await _store.DisposeAsync();
            await (_other?.DisposeAsync() ?? default);
            _other = null;
        }

        private static long Count(Database database, string table, DeviceId device) => database.Scalar<long>(
            string.Create(CultureInfo.InvariantCulture, $"SELECT count(*) FROM {table} WHERE device = x'{device}'"));

        private SqliteBundleStore Open(int keep, TimeSpan window)
        {
            (Model.Keep, Model.Window) = (keep, window);
            return SqliteBundleStore.Open(new SqliteStoreOptions(Db, keep, window), _time, NullLogger.Instance);
        }
    }
}
