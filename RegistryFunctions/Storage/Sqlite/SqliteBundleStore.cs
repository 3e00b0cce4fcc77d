using Microsoft.Data.Sqlite;
using Microsoft.Extensions.ObjectPool;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>Where SQLite keeps bundles.</summary>
/// <param name="Path">The file, on a local disk.</param>
/// <param name="Store">What it keeps there.</param>
/// <param name="MaxBytes">Largest size of the file that publishes may bring it to, in bytes; 0 for no limit.</param>
/// <param name="AllowNetworkFs">Whether the file may be on a network file system.</param>
public sealed record SqliteStoreOptions(string Path, StoreOptions Store, long MaxBytes = 0, bool AllowNetworkFs = false);

/// <summary>
/// Bundles in one SQLite file in write-ahead mode: one connection writes, any number read, and neither waits
/// for the other (https://www.sqlite.org/wal.html).
/// </summary>
public sealed class SqliteBundleStore : IBundleStore
{
    private readonly SqliteWriter _writer;
    private readonly ObjectPool<SqliteReader> _readers;
    private readonly ReadFaults _readFaults;
    private readonly bool _verifyOnRead;

    private SqliteBundleStore(SqliteWriter writer, SqliteStoreOptions options, ReadFaults readFaults)
    {
        _writer = writer;
        _readers = new DefaultObjectPoolProvider { MaximumRetained = SqliteTuning.IdleReaders }
            .Create(new ReaderPolicy(options.Path));
        _readFaults = readFaults;
        _verifyOnRead = options.Store.VerifyOnRead;
    }

    /// <summary>Opens the file, creating it and its parent folders where missing.</summary>
    /// <param name="options">Where and how to keep bundles.</param>
    /// <param name="time">Tells when a bundle was received.</param>
    /// <param name="logger">Told when the store begins to fail and when it works again.</param>
    /// <exception cref="StoreOpenException">The path can't hold the store.</exception>
    public static SqliteBundleStore Open(SqliteStoreOptions options, TimeProvider time, ILogger logger)
    {
        options = options with { Path = DatabasePath.Prepare(options.Path, options.AllowNetworkFs, logger) };
        try
        {
            return new SqliteBundleStore(
                SqliteWriter.Start(options, time, logger), options, new ReadFaults(new FaultLog(logger, "read", time)));
        }
        catch (Exception e) when (e is SqliteException or IOException)
        {
            throw new StoreOpenException($"{options.Path}: can't be used: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<PublishOutcome> PublishAsync(VerifiedBundle bundle, CancellationToken cancellationToken) =>
        await _writer.PublishAsync(bundle, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public ValueTask<Bundle?> FindNewestAsync(DeviceId device, CancellationToken cancellationToken)
    {
        try
        {
            Bundle? newest = Read(
                static (reader, query) => FindNewest(reader, query.Device, query.Verify), (Device: device, Verify: _verifyOnRead));
            _readFaults.WasRead(device);
            return ValueTask.FromResult(newest);
        }
        catch (StoreException fault) when (fault.InnerException is not ObjectDisposedException)
        {
            _readFaults.Report(device, fault);
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask<(long Count, bool IsMost)> CountReceivedBeforeAsync(
        DateTimeOffset cutoff, CancellationToken cancellationToken) =>
        ValueTask.FromResult(Read(static (reader, cutoff) => reader.CountReceivedBefore(cutoff), cutoff));

    /// <inheritdoc/>
    public async ValueTask<int> PruneAsync(DateTimeOffset cutoff, CancellationToken cancellationToken)
    {
        const int AtOnce = SqliteTuning.RowsPerPruneStep;
        int dropped = 0;
        await InStepsAsync(
            (table, _) =>
            {
                int old = table.DropReceivedBefore(cutoff, AtOnce);
                dropped += old;
                return old >= AtOnce;
            },
            cancellationToken).ConfigureAwait(false);
        await InStepsAsync((table, now) => table.ForgetSpent(now, AtOnce) >= AtOnce, cancellationToken).ConfigureAwait(false);
        byte[]? last = [];
        await InStepsAsync(
            (table, _) =>
            {
                dropped += table.Trim(ref last, AtOnce);
                return last is not null;
            },
            cancellationToken).ConfigureAwait(false);
        return dropped;
    }

    /// <inheritdoc/>
    public async ValueTask ProbeAsync()
    {
        Task written = _writer.RunAsync(static connection => connection.Probe());
        await _readFaults.ProbeAsync(device => FindNewestAsync(device, CancellationToken.None)).ConfigureAwait(false);
        await written.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        ((IDisposable)_readers).Dispose();
        return _writer.DisposeAsync();
    }

    // Each step, which returns whether there is more, is a transaction of its own, so that publishes go between them.
    private async Task InStepsAsync(Func<BundleTable, DateTimeOffset, bool> step, CancellationToken cancellationToken)
    {
        bool more = true;
        while (more)
        {
            await _writer.RunAsync(connection =>
            {
                cancellationToken.ThrowIfCancellationRequested();
                // Dropping may need a page to remember what it drops: it must not fail for the lack of what it makes.
                connection.InTransaction((table, now) => more = step(table, now), sizeIsLimited: false);
            }).ConfigureAwait(false);
        }
    }

    private static Bundle? FindNewest(SqliteReader reader, in DeviceId device, bool verify)
    {
        Bundle? newest = reader.FindNewest(device);
        return !verify || newest is null || VerifiedBundle.TryVerify(new Submission(device, newest), out _)
            ? newest
            : throw StoredRow.Damaged();
    }

    private T Read<TQuery, T>(Func<SqliteReader, TQuery, T> read, TQuery query)
    {
        SqliteReader? reader = null;
        try
        {
            reader = _readers.Get();
            T result = read(reader, query);
            _readers.Return(reader);
            return result;
        }
        catch (Exception e) when (AsFault(e) is { } fault)
        {
            // A fresh connection may do better once the fault is mended.
            reader?.Dispose();
            throw fault;
        }
    }

    // A query of constants can't be at fault itself, so every error of SQLite is one of the store.
    private static StoreException? AsFault(Exception e) => e switch
    {
        ObjectDisposedException => new StoreException(StoreFault.Busy, "the store is closing", e),
        SqliteException => SqliteFault.AsStoreException(e) ?? new StoreException(StoreFault.Unavailable, e.Message, e),
        _ => e as StoreException,
    };

    private sealed class ReaderPolicy(string path) : PooledObjectPolicy<SqliteReader>
    {
        public override SqliteReader Create() => SqliteFile.OpenForReading(path).Into(session => new SqliteReader(session));

        public override bool Return(SqliteReader obj) => true;
    }
}
