using Microsoft.Extensions.Time.Testing;
using RegistryFunctions.Bundles;
using RegistryFunctions.Functions;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Tests.Functions;

public sealed class StoreProbeTests
{
    [Fact]
    public async Task Probes_that_come_while_the_store_is_slow_wait_for_one_answer()
    {
        await using var store = new SlowStore();
        var time = new FakeTimeProvider();
        var probe = new StoreProbe(store, time);
        Task[] waiting = [.. Enumerable.Range(0, 4).Select(_ =>
        {
            time.Advance(TimeSpan.FromSeconds(2));
            return probe.RunAsync();
        })];
        store.Answer.SetResult();
        await Task.WhenAll(waiting);
        Assert.Equal(1, store.Probes);
    }

    [Fact]
    public async Task A_store_that_does_not_answer_is_a_fault()
    {
        await using var store = new SlowStore();
        var time = new FakeTimeProvider();
        Task probe = new StoreProbe(store, time).RunAsync();
        time.Advance(TimeSpan.FromSeconds(10));
        StoreException silent = await Assert.ThrowsAsync<StoreException>(() => probe.WaitAsync(TimeSpan.FromMinutes(1)));
        Assert.Equal(StoreFault.Unavailable, silent.Fault);
        store.Answer.SetResult();
    }

    private sealed class SlowStore : IBundleStore
    {
        public TaskCompletionSource Answer { get; } = new();

        public int Probes { get; private set; }

        public ValueTask ProbeAsync()
        {
            Probes++;
            return new ValueTask(Answer.Task);
        }

        public ValueTask<PublishOutcome> PublishAsync(VerifiedBundle bundle, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask<Bundle?> FindNewestAsync(DeviceId device, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask<int> PruneAsync(DateTimeOffset cutoff, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask<(long Count, bool IsMost)> CountReceivedBeforeAsync(
            DateTimeOffset cutoff, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
