using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Postgres;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

/// <summary>Tables in a schema of their own.</summary>
internal sealed class PostgresData : IStoreData
{
    private readonly NpgsqlDataSource _database;
    private readonly string _schema = $"test_{Guid.NewGuid():N}";
    private readonly bool _transactionPerDevice;

    public PostgresData(bool transactionPerDevice = false, string? server = null)
    {
        _transactionPerDevice = transactionPerDevice;
        ConnectionString = $"{server ?? PostgresCluster.Shared};Search Path={_schema};Application Name={_schema}";
        _database = NpgsqlDataSource.Create($"{ConnectionString};Pooling=false");
        Execute($"CREATE SCHEMA {_schema}");
    }

    // A round trip and a flush each.
    public int Samples => 15;

    public string Db => ConnectionString;

    public string ConnectionString { get; }

    /// <summary>Whether a store waits for a lock.</summary>
    public async Task<bool> IsAnyoneWaitingAsync() => await ScalarAsync<long>(
        $"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{_schema}' AND wait_event_type = 'Lock'") > 0;

    public async ValueTask<IBundleStore> OpenAsync(StoreOptions options, TimeProvider time) => await PostgresBundleStore.OpenAsync(
        new PostgresStoreOptions(Address(), options, TransactionPerDevice: _transactionPerDevice), time, NullLogger.Instance);

    public PostgresAddress Address()
    {
        Assert.True(PostgresAddress.TryParse(ConnectionString, out PostgresAddress? address, out string? error), error);
        return address;
    }

    public async ValueTask<(long Held, long Remembered)> CountAsync(DeviceId device)
    {
        return (await CountAsync("bundle"), await CountAsync("spent"));

        async Task<long> CountAsync(string table) => await ScalarAsync<long>(
            string.Create(CultureInfo.InvariantCulture, $"SELECT count(*) FROM {table} WHERE device = '\\x{device}'"));
    }

    public async ValueTask<IAsyncDisposable> LockAsync()
    {
        NpgsqlConnection connection = await _database.OpenConnectionAsync();
        await using var command = new NpgsqlCommand("BEGIN; LOCK TABLE registry, lease, device IN EXCLUSIVE MODE", connection);
        await command.ExecuteNonQueryAsync();
        return connection;
    }

    public void Execute(string sql)
    {
        using NpgsqlCommand command = _database.CreateCommand(sql);
        command.ExecuteNonQuery();
    }

    public T Scalar<T>(string sql)
    {
        using NpgsqlCommand command = _database.CreateCommand(sql);
        return (T)command.ExecuteScalar()!;
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using NpgsqlCommand command = _database.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public async ValueTask DisposeAsync()
    {
        Execute($"DROP SCHEMA {_schema} CASCADE");
        await _database.DisposeAsync();
    }
}
