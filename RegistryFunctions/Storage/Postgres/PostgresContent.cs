using System.Buffers.Binary;
using Npgsql;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage.Content;

namespace RegistryFunctions.Storage.Postgres;

/// <summary>All that a PostgreSQL database holds, device by device.</summary>
internal sealed class PostgresContent : ICopyTarget
{
    private readonly PostgresAddress _address;
    private readonly NpgsqlDataSource _database;

    private PostgresContent(PostgresAddress address, NpgsqlDataSource database) => (_address, _database) = (address, database);

    /// <summary>Connects to read: also to a standby.</summary>
    /// <exception cref="StoreOpenException">It can't be reached, or holds no registry of this release.</exception>
    public static async Task<PostgresContent> OpenForReadingAsync(PostgresAddress address) =>
        new(address, await PostgresServer.OpenForReadingAsync(address));

    /// <summary>Connects to copy a registry into the database.</summary>
    /// <param name="address">Where it is.</param>
    /// <param name="source">The registry that is copied, as people know it.</param>
    /// <exception cref="StoreOpenException">It can't hold a registry, or holds something else.</exception>
    public static async Task<PostgresContent> OpenForCopyingAsync(PostgresAddress address, string source)
    {
        // Whether it keeps what it acknowledges is asked by the server that is started on it.
        NpgsqlDataSource database = await PostgresServer.OpenAsync(
            address, allowLossyCommits: true, migrate: true, database => PostgresCopyMark.BeginAsync(database, source));
        return new PostgresContent(address, database);
    }

    /// <summary>How many bundles belong to no row of their device, and so are not among the devices.</summary>
    public async Task<long> CountStrayAsync(CancellationToken cancellationToken) => (await GuardAsync(() => _database.QueryAsync(
        BundleSql.CountStray, _ => { }, row => row.GetInt64(0), PostgresTuning.CountTimeoutSecs, cancellationToken)))[0];

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<DeviceId>> DevicesAfterAsync(DeviceId? last, CancellationToken cancellationToken)
    {
        byte[] after = last is { } device ? device.Span.ToArray() : [];
        return await GuardAsync(() => _database.QueryAsync(
            BundleSql.DevicesAfter,
            p => p.Bytes(after).Int32(PostgresTuning.DevicesPerCopyStep),
            row => new DeviceId(row.GetFieldValue<byte[]>(0)),
            PostgresTuning.CountTimeoutSecs,
            cancellationToken));
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<DeviceContent>> ReadAsync(
        IReadOnlyList<DeviceId> devices, CancellationToken cancellationToken) => await GuardAsync(async () =>
    {
        await using NpgsqlBatch batch = _database.CreateBatch();
        batch.Timeout = PostgresTuning.CountTimeoutSecs;
        foreach (DeviceId device in devices)
        {
            batch.Add(BundleSql.ContentOf).Bytes(device.Span.ToArray());
        }

        var contents = new List<DeviceContent>(devices.Count);
        await using NpgsqlDataReader row = await batch.ExecuteReaderAsync(cancellationToken);
        foreach (DeviceId device in devices)
        {
            var accepted = new List<Acceptance>();
            while (await row.ReadAsync(cancellationToken))
            {
                accepted.Add(ReadRow(device, row));
            }

            contents.Add(new DeviceContent(device, accepted));
            await row.NextResultAsync(cancellationToken);
        }

        return contents;
    });

    /// <inheritdoc/>
    public double ShareBefore(DeviceId device) => BinaryPrimitives.ReadUInt64BigEndian(device.Span) / Math.Pow(2, 64);

    /// <inheritdoc/>
    public async ValueTask ReplaceAsync(IReadOnlyList<DeviceContent> devices, CancellationToken cancellationToken) => await GuardAsync(async () =>
    {
        await using NpgsqlConnection connection = await _database.OpenConnectionAsync(cancellationToken);
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(cancellationToken);
        await PostgresCopyMark.RefuseServedAsync(connection);
        await using var batch = new NpgsqlBatch(connection, transaction) { Timeout = PostgresTuning.CountTimeoutSecs };
        foreach (DeviceContent content in devices.Order(Comparer<DeviceContent>.Create(
            (one, other) => one.Device.Span.SequenceCompareTo(other.Device.Span))))
        {
            AddReplacement(batch, content);
        }

        await batch.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    });

    /// <inheritdoc/>
    public async ValueTask CompleteAsync(int held) => await GuardAsync(async () =>
    {
        await PostgresCopyMark.CompleteAsync(_database, held);
        return true;
    });

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _database.DisposeAsync();

    private static Acceptance ReadRow(DeviceId device, NpgsqlDataReader row)
    {
        long digest = row.GetInt64(2);
        bool isHeld = !row.IsDBNull(3);
        Bundle? bundle = null;
        if (isHeld)
        {
            StoredRow.TryRead(device, row.GetFieldValue<byte[]>(4), row.GetFieldValue<byte[]>(5), digest, row.GetInt64(3), out bundle);
        }

        return new Acceptance(row.GetInt64(0), row.GetInt64(1), digest, isHeld, bundle);
    }

    private static void AddReplacement(NpgsqlBatch batch, DeviceContent content)
    {
        byte[] device = content.Device.Span.ToArray();
        batch.Add(BundleSql.LockDevice).Bytes(device);
        batch.Add(BundleSql.RemoveHeld).Bytes(device);
        batch.Add(BundleSql.RemoveSpent).Bytes(device);
        for (int i = 0; i < content.Accepted.Count; i++)
        {
            Acceptance accepted = content.Accepted[i];
            if (accepted.Bundle is { } bundle)
            {
                batch.Add(BundleSql.AddHeld)
                    .Bytes(device)
                    .Int64(i + 1)
                    .Int64(accepted.Received)
                    .Int64(accepted.Digest)
                    .Int64(Digest.OfRow(content.Device, bundle.Signature, accepted.Digest))
                    .Bytes(bundle.Signature.Span.ToArray())
                    .Bytes(bundle.Payload);
            }
            else
            {
                batch.Add(BundleSql.AddSpent).Bytes(device).Int64(i + 1).Int64(accepted.Received).Int64(accepted.Digest);
            }
        }

        if (content.Accepted.Count == 0)
        {
            batch.Add(BundleSql.RemoveDevice).Bytes(device);
        }
    }

    private async Task<T> GuardAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception e) when (e is not StoreException && PostgresFaults.AsStoreException(e) is { } fault)
        {
            throw new StoreException(fault.Fault, $"{_address}: {fault.Message}", e);
        }
    }
}
