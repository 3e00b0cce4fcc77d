using Npgsql;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Postgres;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

/// <summary>A server that is there and can't do what is asked.</summary>
public sealed class PostgresFaultTests : IAsyncDisposable
{
    private readonly PostgresCluster _cluster = new();
    private readonly PostgresData _data;
    private readonly LogCollector _logs = new();
    private readonly Device _device = new();

    public PostgresFaultTests() => _data = new PostgresData(server: _cluster.ConnectionString);

    public async ValueTask DisposeAsync()
    {
        await _data.DisposeAsync();
        _cluster.Dispose();
    }

    [Fact]
    public async Task Where_no_connection_is_left_requests_are_to_come_again()
    {
        // The limit is not one for those who may do everything.
        _data.Execute("CREATE ROLE few LOGIN; GRANT CREATE, USAGE ON SCHEMA " + new NpgsqlConnectionStringBuilder(_data.ConnectionString).SearchPath + " TO few");
        await using IBundleStore store = await OpenAsync(user: "few");
        await PublishAsync(store, [1]);
        _data.Execute("ALTER ROLE few CONNECTION LIMIT 0");
        _data.Execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'few'");
        // What is told first is that the connection is gone.
        StoreException fault;
        do
        {
            fault = await Assert.ThrowsAsync<StoreException>(() => PublishAsync(store, [2]));
        }
        while (fault.Fault != StoreFault.Busy);
        Assert.Contains("too many connections for role", fault.Message, StringComparison.Ordinal);
        do
        {
            fault = await Assert.ThrowsAsync<StoreException>(() => FetchAsync(store));
        }
        while (fault.Fault != StoreFault.Busy);

        _data.Execute("ALTER ROLE few CONNECTION LIMIT -1");
        Assert.Equal(PublishOutcome.Stored, await PublishAsync(store, [2]));
        Assert.Equal([2], await FetchAsync(store));
    }

    [Theory]
    [InlineData("statement_timeout")]
    [InlineData("lock_timeout")]
    public async Task A_publish_that_takes_longer_than_the_server_lets_it_is_to_come_again(string setting)
    {
        await using IBundleStore store = await OpenAsync($"Options=-c {setting}=200ms");
        await PublishAsync(store, [1]);
        await using (NpgsqlDataSource database = NpgsqlDataSource.Create(_data.ConnectionString))
        {
            await using NpgsqlConnection other = await database.OpenConnectionAsync();
            await using NpgsqlTransaction transaction = await other.BeginTransactionAsync();
            await using var command = new NpgsqlCommand("SELECT 1 FROM device FOR UPDATE", other);
            await command.ExecuteNonQueryAsync();
            StoreException fault = await Assert.ThrowsAsync<StoreException>(() => PublishAsync(store, [2]));
            Assert.Equal(StoreFault.Busy, fault.Fault);
            Assert.Contains("timeout", fault.Message, StringComparison.Ordinal);
        }

        Assert.Equal(PublishOutcome.Stored, await PublishAsync(store, [2]));
    }

    [Fact]
    public async Task A_full_disk_refuses_publishes_serves_fetches_and_is_healed_from_once_there_is_room()
    {
        using var disk = new SmallDisk(kibibytes: 16 * 1024);
        string folder = disk.File("tables");
        Directory.CreateDirectory(folder);
        PostgresCluster.GiveFolder(folder);
        await using IBundleStore store = await OpenAsync();
        await PublishAsync(store, [1]);
        _data.Execute($"CREATE TABLESPACE small LOCATION '{folder}'");
        _data.Execute("ALTER TABLE bundle SET TABLESPACE small");
        string filler = disk.FillUp();
        // What is left in the pages that are there is used first.
        StoreException fault = await Assert.ThrowsAsync<StoreException>(async () =>
        {
            while (true)
            {
                await store.PublishAsync(new Device().Bundle(Device.RandomPayload()), CancellationToken.None);
            }
        });
        Assert.Equal(StoreFault.Full, fault.Fault);
        Assert.Equal([1], await FetchAsync(store));

        File.Delete(filler);
        Assert.Equal(PublishOutcome.Stored, await store.PublishAsync(new Device().Bundle(Device.RandomPayload()), CancellationToken.None));
        Assert.Equal([20, 21], _logs.Lines.Select(line => line.Id.Id));
    }

    private async Task<IBundleStore> OpenAsync(string with = "", string user = "registry") => await PostgresBundleStore.OpenAsync(
        new PostgresStoreOptions(
            PostgresAddress.Of($"{_data.ConnectionString};Username={user};{with}", password: null)!,
            new StoreOptions(Keep: 5, TimeSpan.FromDays(90))),
        TimeProvider.System,
        _logs);

    private async Task<PublishOutcome> PublishAsync(IBundleStore store, byte[] payload) =>
        await store.PublishAsync(_device.Bundle(payload), CancellationToken.None);

    private async Task<byte[]> FetchAsync(IBundleStore store) =>
        (await store.FindNewestAsync(_device.Id, CancellationToken.None))!.Payload.ToArray();
}
