using System.Security.Cryptography;
using Npgsql;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Postgres;

/// <summary>
/// Bundles in a PostgreSQL database, which any number of instances share. What must not happen at once for a device is done under
/// the lock of its row.
/// </summary>
internal sealed class PostgresBundleStore : IBundleStore
{
    private readonly NpgsqlDataSource _database;
    private readonly PostgresStoreOptions _options;
    private readonly TimeProvider _time;
    private readonly PostgresWriter[] _writers;
    private readonly PostgresStandby? _standby;
    private readonly FaultLog _writeFaults;
    private readonly ReadFaults _readFaults;
    private readonly SemaphoreSlim _pruning = new(1);
    private volatile bool _isClosing;

    private PostgresBundleStore(NpgsqlDataSource database, PostgresStoreOptions options, TimeProvider time, ILogger logger)
    {
        _database = database;
        _options = options;
        _time = time;
        _writeFaults = new FaultLog(logger, "written", time);
        _readFaults = new ReadFaults(new FaultLog(logger, "read", time));
        _writers = [.. Enumerable.Range(0, PostgresTuning.Writers).Select(
            _ => new PostgresWriter(database, options, time, _writeFaults))];
        _standby = options.Standby is null ? null : new PostgresStandby(database, options, time, logger);
    }

    /// <summary>Connects, and brings the schema up to date.</summary>
    /// <param name="options">Where and how to keep bundles.</param>
    /// <param name="time">Tells when a bundle was received.</param>
    /// <param name="logger">Told when the store begins to fail and when it works again.</param>
    /// <exception cref="StoreOpenException">The database can't hold the store.</exception>
    public static async Task<PostgresBundleStore> OpenAsync(PostgresStoreOptions options, TimeProvider time, ILogger logger)
    {
        NpgsqlDataSource database = await PostgresServer.OpenAsync(
            options.Address, options.AllowLossyCommits, options.AutoMigrate, PostgresCopyMark.BeginServingAsync);
        return new PostgresBundleStore(database, options, time, logger);
    }

    /// <inheritdoc/>
    public async ValueTask<PublishOutcome> PublishAsync(VerifiedBundle bundle, CancellationToken cancellationToken)
    {
        // Any part of a key is as good as a hash of it.
        PostgresWriter writer = _writers[bundle.Device.Span[0] % _writers.Length];
        return await writer.PublishAsync(bundle, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<Bundle?> FindNewestAsync(DeviceId device, CancellationToken cancellationToken)
    {
        try
        {
            Bundle? newest = await RunAsync(() => FindNewestAsync(device));
            _readFaults.WasRead(device);
            return newest;
        }
        catch (StoreException fault) when (!_isClosing)
        {
            _readFaults.Report(device, fault);
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask<(long Count, bool IsMost)> CountReceivedBeforeAsync(
        DateTimeOffset cutoff, CancellationToken cancellationToken) =>
        RunAsync(async () =>
        {
            long time = cutoff.ToUnixTimeMilliseconds();
            long due = await CountAsync(BundleSql.CountBefore, p => p.Int64(time), cancellationToken);
            long others = await CountAsync(BundleSql.CountSince, p => p.Int64(time).Int64(due), cancellationToken);
            return (due, others < due);
        });

    /// <inheritdoc/>
    public ValueTask<int> PruneAsync(DateTimeOffset cutoff, CancellationToken cancellationToken) =>
        GuardAsync(_writeFaults, async () =>
        {
            // One that comes during another waits for it: the lease would send it away with nothing dropped.
            await _pruning.WaitAsync(cancellationToken);
            try
            {
                return await new PostgresPrune(_database, _options, cutoff, _time.GetUtcNow(), cancellationToken).RunAsync();
            }
            finally
            {
                _pruning.Release();
            }
        });

    /// <inheritdoc/>
    public async ValueTask ProbeAsync()
    {
        await GuardAsync(_writeFaults, WriteNothingAsync);
        await _readFaults.ProbeAsync(device => FindNewestAsync(device, CancellationToken.None));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _isClosing = true;
        await Task.WhenAll(_writers.Select(writer => writer.DisposeAsync().AsTask()));
        await (_standby?.DisposeAsync() ?? default);
        await _database.DisposeAsync();
        _pruning.Dispose();
    }

    private async Task<Bundle?> FindNewestAsync(DeviceId device)
    {
        Bundle? newest = await FindOnStandbyAsync(device) ?? await FindAsync(_database, device);
        return !_options.Store.VerifyOnRead || newest is null || VerifiedBundle.TryVerify(new Submission(device, newest), out _)
            ? newest
            : throw StoredRow.Damaged();
    }

    // Null where it has none, and where it can't be asked: the primary may do better.
    private async Task<Bundle?> FindOnStandbyAsync(DeviceId device)
    {
        if (_standby?.Fresh is not { } standby)
        {
            return null;
        }

        try
        {
            return await FindAsync(standby, device);
        }
        catch (Exception e) when (PostgresFaults.AsStoreException(e) is not null)
        {
            _standby.Distrust();
            return null;
        }
    }

    private static async Task<Bundle?> FindAsync(NpgsqlDataSource database, DeviceId device)
    {
        List<Bundle> newest = await database.QueryAsync(
            BundleSql.FindNewest,
            p => p.Bytes(device.Span.ToArray()),
            row => StoredRow.TryRead(
                device, row.GetFieldValue<byte[]>(0), row.GetFieldValue<byte[]>(1), row.GetInt64(2), row.GetInt64(3), out Bundle? bundle)
                ? bundle
                : throw StoredRow.Damaged());
        return newest is [{ } found] ? found : null;
    }

    private async Task<long> CountAsync(string query, Action<NpgsqlParameterCollection> with, CancellationToken cancellationToken)
    {
        List<long> count = await _database.QueryAsync(
            query, with, row => row.GetInt64(0), PostgresTuning.CountTimeoutSecs, cancellationToken);
        return count[0];
    }

    // Locks a device that there is not, as a publish would, and takes it back.
    private async Task<int> WriteNothingAsync()
    {
        await using NpgsqlBatch batch = _database.CreateBatch();
        batch.Add(BundleSql.Begin);
        batch.Add(BundleSql.LockDevice).Bytes(RandomNumberGenerator.GetBytes(DeviceId.Size));
        batch.Add(BundleSql.Rollback);
        return await batch.ExecuteNonQueryAsync(CancellationToken.None);
    }

    private async ValueTask<T> GuardAsync<T>(FaultLog faults, Func<Task<T>> work)
    {
        try
        {
            T result = await RunAsync(work);
            faults.Healed();
            return result;
        }
        catch (StoreException fault) when (!_isClosing)
        {
            faults.Report(fault.Fault, fault);
            throw;
        }
    }

    private async ValueTask<T> RunAsync<T>(Func<Task<T>> work)
    {
        if (_isClosing)
        {
            throw new StoreException(StoreFault.Busy, "the store is closing");
        }

        try
        {
            return await work();
        }
        catch (Exception e) when (PostgresFaults.AsStoreException(e) is { } fault)
        {
            throw fault;
        }
    }
}
