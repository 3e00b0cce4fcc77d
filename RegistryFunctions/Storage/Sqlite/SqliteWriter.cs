using System.Threading.Channels;
using Microsoft.Data.Sqlite;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// The one writer of a database: a thread that takes whatever waits, writes it in one transaction and so with
/// one fsync, and only then tells the callers. Under load batches grow by themselves; when idle a bundle waits
/// for nobody.
/// </summary>
internal sealed class SqliteWriter : IAsyncDisposable
{
    private const int QueueCapacity = 4_096;
    private const int MaxBatch = 512;

    private readonly Channel<WriteRequest> _queue = Channel.CreateBounded<WriteRequest>(
        new BoundedChannelOptions(QueueCapacity) { SingleReader = true });
    private readonly Task _thread;

    // Used only by the writer's thread.
    private readonly SqliteBundles _bundles;
    private readonly TimeProvider _time;
    private readonly FaultLog _faults;
    private readonly List<PublishRequest> _batch = new(MaxBatch);
    private readonly Queue<PruneRequest> _prunes = new();

    /// <summary>Takes over the connection and starts writing.</summary>
    public SqliteWriter(SqliteConnection connection, SqliteStoreOptions options, TimeProvider time, ILogger logger)
    {
        _bundles = new SqliteBundles(connection, options);
        _time = time;
        _faults = new FaultLog(logger, "written");
        _thread = Task.Factory.StartNew(
            Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Queues a request; its completion tells when it is done.</summary>
    /// <exception cref="StoreException">Too many wait, or the store is closing.</exception>
    public Task<T> Enqueue<T>(WriteRequest<T> request) =>
        _queue.Writer.TryWrite(request)
            ? request.Completion
            : throw new StoreException(StoreFault.Busy, "the queue of bundles to write is full or closed");

    /// <summary>Takes no more requests, finishes the publishes that wait, and closes the connection.</summary>
    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _thread.ConfigureAwait(false);
        _bundles.Dispose();
    }

    private void Run()
    {
        while (WaitForRequests())
        {
            TakeRequests();
            if (_batch.Count > 0)
            {
                WriteBatch();
            }

            if (_prunes.TryPeek(out PruneRequest? prune) && StepIsLast(prune))
            {
                _prunes.Dequeue();
            }
        }

        foreach (PruneRequest prune in _prunes)
        {
            prune.Fail(new StoreException(StoreFault.Busy, "the store is closing"));
        }
    }

    // False once the queue is closed and empty. A prune under way does not wait for requests.
    private bool WaitForRequests()
    {
        if (_prunes.Count > 0)
        {
            return !_queue.Reader.Completion.IsCompleted;
        }

        ValueTask<bool> ready = _queue.Reader.WaitToReadAsync();
        return ready.IsCompleted ? ready.Result : ready.AsTask().GetAwaiter().GetResult();
    }

    private void TakeRequests()
    {
        _batch.Clear();
        while (_batch.Count < MaxBatch && _queue.Reader.TryRead(out WriteRequest? request))
        {
            if (request is PruneRequest prune)
            {
                _prunes.Enqueue(prune);
            }
            else
            {
                _batch.Add((PublishRequest)request);
            }
        }
    }

    private void WriteBatch()
    {
        if (TryWrite(_batch) is not { } error)
        {
            Answer(_batch, error: null);
        }
        else if (_batch.Count > 1 && error is not StoreException)
        {
            // One of them can't be written. Each alone, so that it fails alone.
            foreach (PublishRequest publish in _batch)
            {
                Answer([publish], TryWrite([publish]));
            }
        }
        else
        {
            Answer(_batch, error);
        }
    }

    private static void Answer(List<PublishRequest> batch, Exception? error)
    {
        foreach (PublishRequest publish in batch)
        {
            if (error is null)
            {
                publish.Succeed();
            }
            else
            {
                publish.Fail(error);
            }
        }
    }

    // Returns what went wrong, or null when all of the batch is durable.
    private Exception? TryWrite(List<PublishRequest> batch) =>
        InTransaction(() =>
        {
            // Each time, as another process with a lower limit may have pruned since.
            _bundles.AllowForKept();
            // Only now that the lock is held, for which this may have waited long.
            batch.RemoveAll(publish => publish.IsAbandoned());
            DateTimeOffset received = _time.GetUtcNow();
            foreach (PublishRequest publish in batch)
            {
                publish.Write(_bundles, received);
            }
        });

    private bool StepIsLast(PruneRequest prune)
    {
        if (prune.IsAbandoned())
        {
            return true;
        }

        bool last = false;
        if (InTransaction(() => last = prune.Step(_bundles, _time.GetUtcNow())) is { } error)
        {
            prune.Fail(error);
            return true;
        }

        if (last)
        {
            prune.Succeed();
        }

        return last;
    }

    private Exception? InTransaction(Action write)
    {
        try
        {
            _bundles.Begin();
            write();
            _bundles.Commit();
            _faults.Healed();
            return null;
        }
        catch (Exception e)
        {
            Rollback();
            if (e is SqliteException sqlite && SqliteFile.FaultOf(sqlite) is { } fault)
            {
                _faults.Report(fault, sqlite);
                return new StoreException(fault, sqlite.Message, sqlite);
            }

            return e;
        }
    }

    private void Rollback()
    {
        try
        {
            _bundles.Rollback();
        }
        catch (SqliteException)
        {
            // The cause was reported already; the next BEGIN meets what is left of it.
        }
    }
}
