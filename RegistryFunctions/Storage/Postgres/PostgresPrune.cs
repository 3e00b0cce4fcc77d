using Npgsql;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Postgres;

/// <summary>
/// Drops what is due: old bundles, payloads past the replay window, and what devices hold beyond a limit that was lowered.
/// Devices are found by index, some at a time, and each is then pruned under its lock. On one instance at a time.
/// </summary>
internal sealed class PostgresPrune(
    NpgsqlDataSource database, PostgresStoreOptions options, DateTimeOffset cutoff, DateTimeOffset now, CancellationToken cancellationToken)
{
    private static readonly Comparer<byte[]> InOrder =
        Comparer<byte[]>.Create((one, other) => one.AsSpan().SequenceCompareTo(other));

    private readonly PostgresLease _lease = new(database, "prune");
    private readonly long _oldBefore = cutoff.ToUnixTimeMilliseconds();
    private readonly long _forgetBefore = (now - options.Store.ReplayWindow).ToUnixTimeMilliseconds();

    private int _dropped;

    /// <summary>Returns how many bundles were dropped; none where another instance prunes.</summary>
    /// <exception cref="OperationCanceledException">Nobody waits for it any more.</exception>
    public async Task<int> RunAsync()
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (await _lease.TryTakeAsync())
        {
            try
            {
                // As long as the lease is kept.
                _ = await PruneOldAsync(BundleSql.HoldsOld, _oldBefore)
                    && await PruneOldAsync(BundleSql.RemembersOld, _forgetBefore)
                    && await TrimAsync();
            }
            finally
            {
                await _lease.ReleaseAsync();
            }
        }

        return _dropped;
    }

    private async Task<bool> PruneOldAsync(string query, long before)
    {
        while (true)
        {
            List<byte[]> found = await FindAsync(query, p => p.Int64(before).Int32(PostgresTuning.DevicesPerPruneStep));
            if (found.Count == 0)
            {
                return true;
            }

            if (!await PruneAsync(found, keep: int.MaxValue))
            {
                return false;
            }
        }
    }

    private async Task<bool> TrimAsync()
    {
        List<int> heldAtMost = await database.QueryAsync(BundleSql.HeldAtMost, _ => { }, row => row.GetInt32(0));
        if (heldAtMost[0] <= options.Store.Keep)
        {
            return true;
        }

        byte[] from = [];
        while (true)
        {
            List<byte[]> found = await FindAsync(BundleSql.HeldFrom, p => p.Bytes(from).Int32(PostgresTuning.RowsPerTrimStep));
            IEnumerable<byte[]> beyond = found.Where((device, i) =>
                i >= options.Store.Keep && device.AsSpan().SequenceEqual(found[i - options.Store.Keep]));
            if (!await PruneAsync(beyond, options.Store.Keep))
            {
                return false;
            }

            if (found.Count < PostgresTuning.RowsPerTrimStep)
            {
                await database.ExecuteAsync(BundleSql.RecordTrimmed, p => p.Int32(options.Store.Keep));
                return true;
            }

            // This one once more: its rows may not have been all. A step has more rows than a device may hold.
            from = found[^1];
        }
    }

    private Task<List<byte[]>> FindAsync(string query, Action<NpgsqlParameterCollection> with) =>
        database.QueryAsync(query, with, row => row.GetFieldValue<byte[]>(0));

    private async Task<bool> PruneAsync(IEnumerable<byte[]> devices, int keep)
    {
        byte[][] inOrder = [.. devices.DistinctBy(device => new DeviceId(device)).Order(InOrder)];
        foreach (byte[][] step in inOrder.Chunk(options.TransactionPerDevice ? 1 : PostgresTuning.DevicesPerPruneStep))
        {
            cancellationToken.ThrowIfCancellationRequested();
            await PruneInTransactionAsync(step, keep);
        }

        return await _lease.TryTakeAsync();
    }

    private async Task PruneInTransactionAsync(byte[][] devices, int keep)
    {
        await using NpgsqlBatch batch = database.CreateBatch();
        batch.Add(BundleSql.Begin);
        foreach (byte[] device in devices)
        {
            batch.Add(BundleSql.LockDevice).Bytes(device);
            // First, as what is dropped for the limit alone is remembered until the next prune, however old it is.
            batch.Add(BundleSql.Forget).Bytes(device).Int64(_forgetBefore);
            batch.Add(BundleSql.Drop)
                .Bytes(device)
                .Int64(_oldBefore)
                .Int32(keep)
                .Boolean(options.Store.ReplayWindow > TimeSpan.Zero)
                .Int64(_forgetBefore);
            batch.Add(BundleSql.RemoveDevice).Bytes(device);
        }

        batch.Add(BundleSql.Commit);
        int dropped = 0;
        await using (NpgsqlDataReader counts = await batch.ExecuteReaderAsync(CancellationToken.None))
        {
            do
            {
                await counts.ReadAsync(CancellationToken.None);
                dropped += (int)counts.GetInt64(0);
            }
            while (await counts.NextResultAsync(CancellationToken.None));
        }

        _dropped += dropped;
    }
}
