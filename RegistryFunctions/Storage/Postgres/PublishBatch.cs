using Npgsql;
using RegistryFunctions.Bundles;
using RegistryFunctions.RateLimits;

namespace RegistryFunctions.Storage.Postgres;

/// <summary>Publishes that are written in one round trip, as one transaction or as one for each device.</summary>
/// <param name="devices">The publishes of each device, in the order in which devices are locked.</param>
/// <param name="options">What a device may hold, and whether each has a transaction of its own.</param>
/// <param name="limit">What a device may add.</param>
internal sealed class PublishBatch(
    IReadOnlyList<PendingPublish[]> devices, PostgresStoreOptions options, RateLimit<DeviceId> limit)
{
    // For each statement, which device it is for.
    private readonly List<int> _deviceOf = [];

    /// <summary>
    /// After a failure, the device whose statement failed; null where that is not known. Where each has a transaction of its own,
    /// those before it are done: in one round trip, nothing is done after an error. Else none is.
    /// </summary>
    public int? FailedAt { get; private set; }

    /// <summary>Writes them; when it returns, all is durable and every publish has its outcome.</summary>
    public async Task WriteAsync(NpgsqlDataSource database, DateTimeOffset received)
    {
        await using NpgsqlBatch batch = database.CreateBatch();
        AddStatements(batch, received.ToUnixTimeMilliseconds());
        try
        {
            await ReadOutcomesAsync(batch);
        }
        catch (NpgsqlException e) when (e.BatchCommand is { } failed)
        {
            FailedAt = _deviceOf[batch.BatchCommands.IndexOf(failed)];
            throw;
        }
    }

    private void AddStatements(NpgsqlBatch batch, long received)
    {
        bool isAllowed = false;
        for (int i = 0; i < devices.Count; i++)
        {
            if (i == 0 || options.TransactionPerDevice)
            {
                Add(BundleSql.Begin, i);
            }

            byte[] device = devices[i][0].Bundle.Device.Span.ToArray();
            Add(BundleSql.LockDevice, i).Bytes(device);
            int left = limit.IsOn ? limit.Left(devices[i][0].Bundle.Device) : int.MaxValue;
            for (int k = 0; k < devices[i].Length; k++)
            {
                // As if all before it were added. Where they were not, the writer asks again.
                AddPublish(devices[i][k], i, device, received, mayAdd: k < left);
            }

            if (i == devices.Count - 1 || options.TransactionPerDevice)
            {
                if (!isAllowed)
                {
                    // Last: where it writes, all instances wait for the end of this transaction.
                    Add(BundleSql.AllowForKept, i).Int32(options.Store.Keep);
                    isAllowed = true;
                }

                Add(BundleSql.Commit, i);
            }
        }

        NpgsqlParameterCollection Add(string sql, int device)
        {
            _deviceOf.Add(device);
            return batch.Add(sql);
        }

        void AddPublish(PendingPublish publish, int i, byte[] device, long received, bool mayAdd)
        {
            Bundle bundle = publish.Bundle.Bundle;
            Add(BundleSql.Publish, i)
                .Bytes(device)
                .Int64(publish.Digest)
                .Int64(received)
                .Int64(Digest.OfRow(publish.Bundle.Device, bundle.Signature, publish.Digest))
                .Bytes(bundle.Signature.Span.ToArray())
                .Bytes(bundle.Payload)
                .Int32(options.Store.Keep)
                .Boolean(options.Store.ReplayWindow > TimeSpan.Zero)
                .Boolean(mayAdd);
        }
    }

    private async Task ReadOutcomesAsync(NpgsqlBatch batch)
    {
        await using NpgsqlDataReader outcomes = await batch.ExecuteReaderAsync();
        // Only these statements return rows. The last step reads to the end, and so that it was committed.
        foreach (PendingPublish publish in devices.SelectMany(publishes => publishes))
        {
            await outcomes.ReadAsync();
            publish.Outcome = (PublishOutcome)outcomes.GetInt32(0);
            await outcomes.NextResultAsync();
        }
    }
}
