using System.Threading.Channels;
using Microsoft.Data.Sqlite;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// The one writer of a database: a thread that takes whatever waits, writes it in one transaction and so with
/// one fsync, and only then tells the callers. Under load batches grow by themselves; when idle a bundle waits
/// for nobody.
/// </summary>
internal sealed class SqliteWriter : IDisposable
{
    private const int QueueCapacity = 4_096;
    private const int MaxBatch = 512;

    // Of some 1,300 bundles of usual size: 8 MB. The longer the log, the longer its flush lets everybody wait.
    private const int PagesBetweenCheckpoints = 2_000;

    private static readonly TimeSpan AnchorInterval = TimeSpan.FromSeconds(1);

    private readonly Channel<WriteRequest> _queue = Channel.CreateBounded<WriteRequest>(
        new BoundedChannelOptions(QueueCapacity) { SingleReader = true });
    private readonly Thread _thread;
    private readonly SqliteCheckpointer _checkpointer;

    // Used only by the writer's thread.
    private readonly SqliteConnection _connection;
    private readonly FileIdentity _file;
    private readonly FileIdentity _log;
    private readonly SqliteBundles _bundles;
    private readonly SqliteAnchor _anchor;
    private readonly TimeProvider _time;
    private readonly FaultLog _faults;
    private readonly List<PublishRequest> _batch = new(MaxBatch);
    private readonly Queue<PruneRequest> _prunes = new();
    private readonly List<ProbeRequest> _probes = [];
    private int _pagesSinceCheckpoint;

    /// <summary>Starts writing to the file.</summary>
    /// <exception cref="StoreOpenException">The path can't hold the store.</exception>
    public SqliteWriter(SqliteStoreOptions options, TimeProvider time, ILogger logger)
    {
        _connection = SqliteFile.OpenForWriting(options.Path, SqliteSchema.Migrations);
        _file = new FileIdentity(options.Path);
        _log = new FileIdentity(SqliteFile.LogOf(options.Path));
        _bundles = new SqliteBundles(_connection, options);
        _checkpointer = new SqliteCheckpointer(SqliteFile.OpenForCheckpoints(options.Path));
        _anchor = new SqliteAnchor(SqliteFile.OpenForReading(options.Path), _connection);
        _time = time;
        _faults = new FaultLog(logger, "written", time);
        _thread = new Thread(Run) { IsBackground = true, Name = "writer" };
        // What a process that was killed has left in the log. Not beside the serving: a process that is killed again and
        // again before that is done would find ever more.
        _checkpointer.Copy(_connection);
        _thread.Start();
    }

    /// <summary>Queues a request; its completion tells when it is done.</summary>
    /// <exception cref="StoreException">Too many wait, or the store is closing.</exception>
    public Task<T> Enqueue<T>(WriteRequest<T> request) =>
        _queue.Writer.TryWrite(request)
            ? request.Completion
            : throw new StoreException(StoreFault.Busy, "the queue of bundles to write is full or closed");

    /// <summary>Takes no more requests, finishes the publishes that wait, and closes the connection.</summary>
    public void Dispose()
    {
        _queue.Writer.TryComplete();
        _thread.Join();
        _checkpointer.Dispose();
        _anchor.Dispose();
        if (_checkpointer.HasFailed)
        {
            _bundles.KeepLog();
        }

        // Last, so that closing the file checkpoints it and removes the write-ahead log.
        _bundles.Dispose();
    }

    private void Run()
    {
        _anchor.Renew();
        while (WaitForRequests())
        {
            TakeRequests();
            Exception? met = _batch.Count > 0 ? WriteBatch() : null;
            if (_probes.Count > 0)
            {
                AnswerProbes(met);
            }

            if (_prunes.TryPeek(out PruneRequest? prune) && StepIsLast(prune))
            {
                _prunes.Dequeue();
            }

            Checkpoint();
            _anchor.Renew();
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
        if (ready.IsCompleted)
        {
            return ready.Result;
        }

        Task<bool> coming = ready.AsTask();
        while (!coming.Wait(AnchorInterval))
        {
            _anchor.Renew();
        }

        return coming.Result;
    }

    private void TakeRequests()
    {
        _batch.Clear();
        _probes.Clear();
        while (_batch.Count < MaxBatch && _queue.Reader.TryRead(out WriteRequest? request))
        {
            switch (request)
            {
                case PruneRequest prune:
                    _prunes.Enqueue(prune);
                    break;
                case ProbeRequest probe:
                    _probes.Add(probe);
                    break;
                default:
                    _batch.Add((PublishRequest)request);
                    break;
            }
        }
    }

    // Returns what the batch met, or null.
    private Exception? WriteBatch()
    {
        Exception? error = TryWrite(_batch);
        if (error is null)
        {
            Answer(_batch, error: null);
        }
        else if (_batch.Count > 1 && error is not StoreException { Fault: not StoreFault.Full })
        {
            // One of them can't be written, or there is no room for all. Each alone, so that it fails alone.
            foreach (PublishRequest publish in _batch)
            {
                Answer([publish], TryWrite([publish]));
            }
        }
        else
        {
            Answer(_batch, error);
        }

        return error;
    }

    // A fault that publishes of the same turn have met is not waited for again. That they met none tells little: they may
    // have been repeats, which write nothing.
    private void AnswerProbes(Exception? met)
    {
        Exception? error = met as StoreException ?? InTransaction(sizeIsLimited: true, _bundles.Probe);
        _probes.ForEach(probe => probe.Answer(error));
    }

    // The callers go on where they are told. Not on this thread, which has the next batch to write, and not each on a
    // thread of its own, which costs more than answering: as many go on one after another as keeps all cores at it.
    private static void Answer(List<PublishRequest> batch, Exception? error)
    {
        int share = (batch.Count / Environment.ProcessorCount) + 1;
        foreach (PublishRequest[] publishes in batch.Chunk(share))
        {
            ThreadPool.UnsafeQueueUserWorkItem(new Answers(publishes, error), preferLocal: false);
        }
    }

    // Returns what went wrong, or null when all of the batch is durable.
    private Exception? TryWrite(List<PublishRequest> batch) =>
        InTransaction(sizeIsLimited: true, () =>
        {
            // Each time, as another process with a lower limit may have pruned since.
            _bundles.AllowForKept();
            DateTimeOffset received = _time.GetUtcNow();
            foreach (PublishRequest publish in batch)
            {
                publish.Write(_bundles, received);
            }
        });

    private bool StepIsLast(PruneRequest prune)
    {
        if (prune.IsAbandoned)
        {
            prune.Abandon();
            return true;
        }

        bool last = false;
        // Dropping may need a page to remember what it drops: it must not fail for the lack of what it makes.
        if (InTransaction(sizeIsLimited: false, () => last = prune.Step(_bundles, _time.GetUtcNow())) is { } error)
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

    private void Checkpoint()
    {
        _checkpointer.PauseIfAsked();
        if (_checkpointer.TakeTurn())
        {
            _anchor.Release();
            _checkpointer.Copy(_connection);
            _pagesSinceCheckpoint = 0;
        }
        else if (_pagesSinceCheckpoint >= PagesBetweenCheckpoints)
        {
            _pagesSinceCheckpoint = 0;
            _checkpointer.Wake();
        }
    }

    private Exception? InTransaction(bool sizeIsLimited, Action write)
    {
        try
        {
            _bundles.LimitSize(sizeIsLimited);
            _bundles.Begin();
            write();
            RefuseLossyCommit();
            _bundles.Commit();
            _pagesSinceCheckpoint += _bundles.TakePagesWritten();
            _faults.Healed();
            return null;
        }
        catch (Exception e)
        {
            Rollback();
            if (e is StoreException known)
            {
                _faults.Report(known.Fault, known);
            }

            if (e is SqliteException sqlite && SqliteFile.FaultOf(sqlite) is { } fault)
            {
                _faults.Report(fault, sqlite);
                var error = new StoreException(fault, sqlite.Message, sqlite);
                if (fault == StoreFault.Busy)
                {
                    RefuseWaiting(error);
                }

                return error;
            }

            return e;
        }
    }

    // What SQLite would take, and nobody would find again.
    private void RefuseLossyCommit()
    {
        if (!_file.IsInPlace || !_log.IsInPlace)
        {
            throw new StoreException(
                StoreFault.Unavailable, "the database file or its log was removed or replaced: put it back and start again");
        }

        if (_checkpointer.HasFailed)
        {
            throw new StoreException(
                StoreFault.Unavailable, "the disk has failed to take what was written: mend it and start again");
        }
    }

    // They have waited for the same lock: batch after batch, the last would wait many times as long.
    private void RefuseWaiting(StoreException reason)
    {
        var publishes = new List<PublishRequest>();
        while (_queue.Reader.TryRead(out WriteRequest? request))
        {
            if (request is PublishRequest publish)
            {
                publishes.Add(publish);
            }
            else
            {
                request.Fail(reason);
            }
        }

        Answer(publishes, reason);
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

    private sealed class Answers(PublishRequest[] publishes, Exception? error) : IThreadPoolWorkItem
    {
        public void Execute()
        {
            foreach (PublishRequest publish in publishes)
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
    }
}
