using CsCheck;
using Microsoft.Extensions.Time.Testing;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

/// <summary>
/// Whatever is done to a store in whatever order, it does as <see cref="StoreModel"/> says. A failure prints the shortest
/// sequence found and a seed: CsCheck_Seed repeats it, CsCheck_Iter searches longer.
/// </summary>
public abstract class StoreModelTests
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

    private readonly Func<IStoreData> _newData;

    private protected StoreModelTests(Func<IStoreData> newData) => _newData = newData;

    [Fact]
    public Task Publishes_retries_replays_prunes_clock_changes_and_restarts_do_as_the_model_says()
    {
        Gen<Step> steps = Gen.Frequency(
            (10, AnyPublication.Array[1, 5].Select(publications => (Step)new PublishAtOnce(publications))),
            (3, ClockMoves),
            (3, Gen.Const<Step>(new PruneNow())),
            (1, Gen.Const<Step>(new HandOver())),
            (1, Restarts));
        return AssertFollowsModelAsync(steps.Array[1, 40]);
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
        return AssertFollowsModelAsync(steps.Array[1, 15]);
    }

    private async Task AssertFollowsModelAsync(Gen<Step[]> sequences)
    {
        // Outside of the samples, where a kind that this machine lacks would be a failure.
        await using IStoreData first = _newData();
        await sequences.SampleAsync(
            async steps =>
            {
                await using Run run = await Run.StartAsync(_newData());
                foreach (Step step in steps)
                {
                    await step.TakeAsync(run);
                    await run.AssertSameAsync();
                }
            },
            iter: first.Samples,
            print: steps => string.Join("; ", steps.Select(step => step.ToString())));
    }

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
        public override Task TakeAsync(Run run) => run.HandOverAsync();
    }

    private sealed record Restart(int Keep, int WindowDays) : Step
    {
        public override Task TakeAsync(Run run) => run.OpenAsync(Keep, TimeSpan.FromDays(WindowDays));
    }

    /// <summary>A store on data of its own, perhaps another on the same, and the model beside them.</summary>
    private sealed class Run : IAsyncDisposable
    {
        private readonly IStoreData _data;
        private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        private IBundleStore? _store;
        private IBundleStore? _other;

        private Run(IStoreData data) => _data = data;

        public StoreModel Model { get; } = new();

        public DateTimeOffset Now => _time.GetUtcNow();

        public static async Task<Run> StartAsync(IStoreData data)
        {
            var run = new Run(data);
            await run.OpenAsync(keep: 2, TimeSpan.FromDays(90));
            return run;
        }

        public async Task OpenAsync(int keep, TimeSpan window)
        {
            await CloseAsync();
            (Model.Keep, Model.Window) = (keep, window);
            _store = await OpenAsync();
        }

        public async Task HandOverAsync() => (_store, _other) = (_other ?? await OpenAsync(), _store);

        // And a millisecond more, so that no two steps are of the same time.
        public void MoveClock(TimeSpan by) => _time.AdjustTime(Now + by + TimeSpan.FromMilliseconds(1));

        public Task<PublishOutcome> PublishAsync(int device, int payload) =>
            _store!.PublishAsync(Bundles[device][payload], CancellationToken.None).AsTask();

        public Task<int> PruneAsync() => _store!.PruneAsync(Now - Retention, CancellationToken.None).AsTask();

        public async Task AssertSameAsync()
        {
            for (int device = 0; device < Devices; device++)
            {
                VerifiedBundle[] bundles = Bundles[device];
                Bundle? expected = Model.Newest(device) is { } payload ? bundles[payload].Bundle : null;
                await AssertNewestAsync(expected, bundles[0].Device, _store!);
                await AssertNewestAsync(expected, bundles[0].Device, _other ?? _store!);
                Assert.Equal((Model.Held(device), Model.Remembered(device)), await _data.CountAsync(bundles[0].Device));
            }

            MoveClock(TimeSpan.Zero);
        }

        public async ValueTask DisposeAsync()
        {
            await CloseAsync();
            await _data.DisposeAsync();
        }

        private static async Task AssertNewestAsync(Bundle? expected, DeviceId device, IBundleStore store)
        {
            Bundle? newest = await store.FindNewestAsync(device, CancellationToken.None);
            Assert.Equal(expected?.Payload.ToArray(), newest?.Payload.ToArray());
            Assert.Equal(expected?.Signature.Span.ToArray(), newest?.Signature.Span.ToArray());
        }

        private async Task CloseAsync()
        {
            await (_store?.DisposeAsync() ?? default);
            await (_other?.DisposeAsync() ?? default);
            _other = null;
        }

        private ValueTask<IBundleStore> OpenAsync() => _data.OpenAsync(new StoreOptions(Model.Keep, Model.Window), _time);
    }

    public sealed class Sqlite() : StoreModelTests(() => new SqliteData());

    public sealed class Postgres() : StoreModelTests(() => new PostgresData());

    public sealed class PostgresDeviceByDevice() : StoreModelTests(() => new PostgresData(transactionPerDevice: true));
}
