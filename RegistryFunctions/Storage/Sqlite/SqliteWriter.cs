using System.Threading.Channels;
using RegistryFunctions.Bundles;
using RegistryFunctions.RateLimits;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// The one writer of a database: a thread that takes whatever waits, writes it in one transaction and so with
/// one fsync, and only then tells the callers. Under load batches grow by themselves; when idle a bundle waits
/// for nobody.
/// </summary>
internal sealed class SqliteWriter : IAsyncDisposable
{
    private readonly Channel<WriteRequest> _queue = Channel.CreateBounded<WriteRequest>(
        new BoundedChannelOptions(SqliteTuning.QueueCapacity) { SingleReader = true });
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _thread;

    // Used only by the writer's thread.
    private readonly SqliteWriteConnection _connection;
    private readonly RateLimit<DeviceId> _limit;
    private readonly List<PublishRequest> _batch = new(SqliteTuning.MaxBatch);

    private SqliteWriter(SqliteWriteConnection connection, RateLimit<DeviceId>? limit)
    {
        _connection = connection;
        _limit = limit ?? new RateLimit<DeviceId>(0, TimeSpan.Zero);
        _thread = new Thread(Run) { IsBackground = true, Name = "writer" };
    }

    /// <summary>Opens the file and starts writing to it.</summary>
    /// <exception cref="StoreOpenException">The path can't hold the store.</exception>
    public static SqliteWriter Start(SqliteStoreOptions options, TimeProvider time, ILogger logger)
    {
        var writer = new SqliteWriter(SqliteWriteConnection.Open(options, time, logger), options.Store.PublishLimit);
        writer._thread.Start();
        return writer;
    }

    /// <summary>Adds a bundle; completes when it is durable.</summary>
    /// <exception cref="StoreException">Too many wait, or the store is closing.</exception>
    public Task<PublishOutcome> PublishAsync(VerifiedBundle bundle, CancellationToken cancellationToken)
    {
        var publish = new PublishRequest(bundle, cancellationToken);
        Enqueue(publish);
        return publish.Completion;
    }

    /// <summary>Does something between two batches of publishes.</summary>
    /// <exception cref="StoreException">Too many wait, or the store is closing.</exception>
    public Task RunAsync(Action<SqliteWriteConnection> work)
    {
        var job = new WriteJob(work);
        Enqueue(job);
        return job.Completion;
    }

    /// <summary>Takes no more requests, does what waits, and closes the file.</summary>
    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _ended.Task.ConfigureAwait(false);
        _connection.Dispose();
    }

    private void Enqueue(WriteRequest request)
    {
        if (!_queue.Writer.TryWrite(request))
        {
            throw new StoreException(StoreFault.Busy, "the write queue is full or closed");
        }
    }

    private void Run()
    {
        while (WaitForRequests())
        {
            TakeBatch();
            if (_batch.Count > 0)
            {
                WriteAndAnswer(_batch);
            }
            else if (_queue.Reader.TryRead(out WriteRequest? request))
            {
                Run((WriteJob)request);
            }

            _connection.TendLog();
        }

        _ended.SetResult();
    }

    private void Run(WriteJob job)
    {
        try
        {
            job.Run(_connection);
        }
        catch (Exception e)
        {
            Refuse([job], e);
        }
    }

    // False once the queue is closed and empty.
    private bool WaitForRequests()
    {
        ValueTask<bool> ready = _queue.Reader.WaitToReadAsync();
        if (ready.IsCompleted)
        {
            return ready.Result;
        }

        Task<bool> coming = ready.AsTask();
        while (!coming.Wait(SqliteTuning.AnchorInterval))
        {
            _connection.TendLog();
        }

        return coming.Result;
    }

    // The publishes that wait, up to the next job.
    private void TakeBatch()
    {
        _batch.Clear();
        while (_batch.Count < SqliteTuning.MaxBatch
            && _queue.Reader.TryPeek(out WriteRequest? request)
            && request is PublishRequest publish)
        {
            _queue.Reader.TryRead(out _);
            _batch.Add(publish);
        }
    }

    private void WriteAndAnswer(List<PublishRequest> batch)
    {
        try
        {
            Write(batch);
            Answer(batch, static publish => publish.Succeed());
        }
        catch (Exception e) when (batch.Count > 1 && MayBeDueToOne(e))
        {
            // By halves, until what fails fails alone.
            int half = batch.Count / 2;
            WriteAndAnswer(batch[..half]);
            WriteAndAnswer(batch[half..]);
        }
        catch (Exception e)
        {
            Refuse(batch, e);
        }
    }

    // One of them can't be written, meets damage, or there is no room for all. Other faults of the store concern all alike.
    private static bool MayBeDueToOne(Exception e) =>
        e is not StoreException fault || fault.Fault is StoreFault.Full or StoreFault.Damaged;

    // Returns once all of the batch is durable. The limit is asked before the transaction and told after it: it is never
    // waited for under the write lock, and what was undone is not counted.
    private void Write(List<PublishRequest> batch)
    {
        Dictionary<DeviceId, int>? left = _limit.IsOn
            ? batch.Select(publish => publish.Bundle.Device).Distinct().ToDictionary(device => device, _limit.Left)
            : null;
        _connection.InTransaction((table, now) =>
        {
            // Each time, as another process with a lower limit may have pruned since.
            table.AllowForKept();
            foreach (PublishRequest publish in batch)
            {
                publish.Write(table, now, left);
            }
        });
        foreach (PublishRequest stored in batch.Where(publish => left is not null && publish.IsStored))
        {
            _limit.TryTake(stored.Bundle.Device);
        }
    }

    // Also refuses everything that queued behind the same lock: batch after batch, the last would wait many times as long. All
    // are taken before any is answered: whoever is answered may come again, and has not waited.
    private void Refuse(IReadOnlyCollection<WriteRequest> requests, Exception reason)
    {
        List<WriteRequest> refused = [.. requests];
        while (reason is StoreException { Fault: StoreFault.Busy } && _queue.Reader.TryRead(out WriteRequest? waiting))
        {
            refused.Add(waiting);
        }

        Answer(refused, request => request.Fail(reason));
    }

    // The callers go on where they are told. Not on this thread, which has the next batch to write, and not each on a
    // thread of its own, which costs more than answering: as many go on one after another as keeps all cores at it.
    private static void Answer<T>(IReadOnlyCollection<T> requests, Action<T> answer)
    {
        int share = (requests.Count / Environment.ProcessorCount) + 1;
        foreach (T[] some in requests.Chunk(share))
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                static answers => Array.ForEach(answers.Requests, answers.Answer), (Requests: some, Answer: answer), preferLocal: false);
        }
    }
}
