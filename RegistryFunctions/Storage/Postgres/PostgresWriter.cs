using System.Threading.Channels;
using Npgsql;
using RegistryFunctions.Bundles;
using RegistryFunctions.RateLimits;

namespace RegistryFunctions.Storage.Postgres;

/// <summary>
/// Takes whatever waits, writes it in one round trip, and only then tells the callers. Under load batches grow by themselves;
/// when idle a bundle waits for nobody. All publishes of a device go through one writer.
/// </summary>
internal sealed class PostgresWriter : IAsyncDisposable
{
    private readonly Channel<PendingPublish> _queue = Channel.CreateBounded<PendingPublish>(
        new BoundedChannelOptions(PostgresTuning.QueueCapacity) { SingleReader = true });
    private readonly NpgsqlDataSource _database;
    private readonly PostgresStoreOptions _options;
    private readonly TimeProvider _time;
    private readonly FaultLog _faults;
    private readonly RateLimit<DeviceId> _limit;
    private readonly Task _run;

    /// <summary>Starts to write.</summary>
    public PostgresWriter(NpgsqlDataSource database, PostgresStoreOptions options, TimeProvider time, FaultLog faults)
    {
        _database = database;
        _options = options;
        _time = time;
        _faults = faults;
        _limit = options.Store.PublishLimit ?? new RateLimit<DeviceId>(0, TimeSpan.Zero);
        _run = Task.Run(RunAsync);
    }

    /// <summary>Adds a bundle; completes when it is durable.</summary>
    /// <exception cref="StoreException">Too many wait, or the store is closing.</exception>
    public Task<PublishOutcome> PublishAsync(VerifiedBundle bundle, CancellationToken cancellationToken)
    {
        var publish = new PendingPublish(bundle, cancellationToken);
        return _queue.Writer.TryWrite(publish)
            ? publish.Completion
            : throw new StoreException(StoreFault.Busy, "the write queue is full or closed");
    }

    /// <summary>Takes no more, and does what waits.</summary>
    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _run;
    }

    private async Task RunAsync()
    {
        while (await _queue.Reader.WaitToReadAsync())
        {
            List<PendingPublish> batch = TakeBatch();
            try
            {
                DateTimeOffset received = _time.GetUtcNow();
                await WriteAndAnswerAsync(
                    ByDevice(batch.Where(publish => !publish.IsAbandoned())),
                    received,
                    deadline: Environment.TickCount64 + (long)PostgresTuning.MaxRetry.TotalMilliseconds);
            }
            catch (Exception e)
            {
                // A bug; the next batch may do better.
                batch.ForEach(publish => publish.Fail(e));
            }
        }
    }

    private List<PendingPublish> TakeBatch()
    {
        var batch = new List<PendingPublish>();
        while (batch.Count < PostgresTuning.MaxBatch && _queue.Reader.TryRead(out PendingPublish? publish))
        {
            batch.Add(publish);
        }

        return batch;
    }

    // Every transaction locks devices in this order, so that no two wait for each other. The publishes of one device stay in the
    // order in which they came.
    private static List<PendingPublish[]> ByDevice(IEnumerable<PendingPublish> publishes) =>
    [
        .. publishes.GroupBy(publish => publish.Bundle.Device)
            .Select(device => device.ToArray())
            .Order(Comparer<PendingPublish[]>.Create(
                (one, other) => one[0].Bundle.Device.Span.SequenceCompareTo(other[0].Bundle.Device.Span))),
    ];

    private async Task WriteAndAnswerAsync(List<PendingPublish[]> devices, DateTimeOffset received, long deadline)
    {
        var oneByOne = new List<PendingPublish>();
        for (int collisions = 0; devices.Count > 0;)
        {
            var batch = new PublishBatch(devices, _options, _limit);
            try
            {
                await batch.WriteAsync(_database, received);
                _faults.Healed();
                devices = Answer(devices);
            }
            catch (Exception e)
            {
                if (Environment.TickCount64 > deadline || !PostgresFaults.MayBeDueToOne(e) || batch.FailedAt is not { } failed)
                {
                    RefuseAll([.. devices.SelectMany(device => device), .. oneByOne], e);
                    return;
                }

                // Where each device has a transaction of its own, those before it are done.
                List<PendingPublish[]> again = _options.TransactionPerDevice ? Answer(devices[..failed]) : devices[..failed];
                if (PostgresFaults.IsCollision(e) && ++collisions <= PostgresTuning.MaxCollisions)
                {
                    again.Add(devices[failed]);
                }
                else if (devices[failed] is [{ } only])
                {
                    only.Fail(Reason(e));
                }
                else
                {
                    oneByOne.AddRange(devices[failed]);
                }

                devices = [.. again, .. devices[(failed + 1)..]];
            }
        }

        foreach (PendingPublish publish in oneByOne)
        {
            await WriteAndAnswerAsync([[publish]], received, deadline);
        }
    }

    // Returns those that were refused as if publishes before them in the batch had been added, which were repeats or replays: they
    // are to be written once more.
    private List<PendingPublish[]> Answer(List<PendingPublish[]> written)
    {
        if (_limit.IsOn)
        {
            foreach (PendingPublish stored in written.SelectMany(device => device).Where(p => p.Outcome == PublishOutcome.Stored))
            {
                _limit.TryTake(stored.Bundle.Device);
            }
        }

        ILookup<bool, PendingPublish> again = written.SelectMany(device => device)
            .ToLookup(publish => publish.Outcome == PublishOutcome.TooMany && _limit.Left(publish.Bundle.Device) > 0);
        foreach (PendingPublish publish in again[false])
        {
            publish.Succeed();
        }

        return ByDevice(again[true]);
    }

    // Those that wait too: they would meet the same, each batch after as long a time.
    private void RefuseAll(List<PendingPublish> refused, Exception e)
    {
        Exception reason = Reason(e);
        // Before anyone is answered, who may come again, and is not one of those that have waited.
        while (reason is StoreException && _queue.Reader.TryRead(out PendingPublish? publish))
        {
            refused.Add(publish);
        }

        foreach (PendingPublish publish in refused)
        {
            publish.Fail(reason);
        }
    }

    private Exception Reason(Exception e)
    {
        if (PostgresFaults.AsStoreException(e) is not { } fault)
        {
            return e;
        }

        _faults.Report(fault.Fault, fault);
        return fault;
    }
}
