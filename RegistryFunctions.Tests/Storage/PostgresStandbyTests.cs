using Microsoft.Extensions.Time.Testing;
using Npgsql;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Postgres;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

/// <summary>Fetches from a standby that is paused, stopped, and promoted.</summary>
public sealed class PostgresStandbyTests : IAsyncDisposable
{
    private static readonly TimeSpan MaxLag = TimeSpan.FromSeconds(5);

    private readonly PostgresCluster _primary = new();
    private readonly PostgresCluster _standby;
    private readonly PostgresData _data;
    private readonly NpgsqlDataSource _atStandby;
    private readonly FakeTimeProvider _time = new();
    private readonly LogCollector _logs = new();
    private readonly Device _device = new();

    public PostgresStandbyTests()
    {
        _data = new PostgresData(server: _primary.ConnectionString);
        _standby = _primary.Standby();
        _atStandby = NpgsqlDataSource.Create($"{OnStandby};Application Name=test;Pooling=false");
    }

    private string OnStandby => _data.ConnectionString.Replace(
        _primary.ConnectionString, _standby.ConnectionString, StringComparison.Ordinal);

    public async ValueTask DisposeAsync()
    {
        await _atStandby.DisposeAsync();
        await _data.DisposeAsync();
        _standby.Dispose();
        _primary.Dispose();
    }

    [Fact]
    public async Task A_standby_that_is_near_enough_is_asked_and_what_it_lacks_is_found_on_the_primary()
    {
        await using IBundleStore store = await OpenAsync();
        await PublishAsync(store, [1]);
        await FreshAsync(store);
        await PauseAsync();
        await PublishAsync(store, [2]);
        // Superseded, but not for longer than is allowed.
        Assert.Equal([1], await FetchAsync(store));
        var late = new Device();
        await store.PublishAsync(late.Bundle([3]), CancellationToken.None);
        Assert.Equal([3], (await store.FindNewestAsync(late.Id, CancellationToken.None))!.Payload.ToArray());
    }

    [Fact]
    public async Task A_standby_that_falls_too_far_behind_is_asked_no_more_until_it_has_caught_up()
    {
        await using IBundleStore store = await OpenAsync();
        await PublishAsync(store, [1]);
        await FreshAsync(store);
        await PauseAsync();
        await PublishAsync(store, [2]);
        _time.Advance(MaxLag + TimeSpan.FromMilliseconds(1));
        Assert.Equal([2], await FetchAsync(store));
        await LoggedAsync(26);

        await AtStandbyAsync("SELECT pg_wal_replay_resume()");
        await FreshAsync(store);
        await LoggedAsync(27);
        Assert.Equal([2], await FetchAsync(store));
    }

    [Fact]
    public async Task A_standby_that_is_gone_costs_no_fetch()
    {
        await using IBundleStore store = await OpenAsync();
        await PublishAsync(store, [1]);
        await FreshAsync(store);
        _standby.StopImmediately();
        Assert.Equal([1], await FetchAsync(store));
        await LoggedAsync(26);
        _standby.Start();
        await FreshAsync(store);
        await LoggedAsync(27);
    }

    [Fact]
    public async Task A_standby_that_was_promoted_is_asked_no_more()
    {
        await using IBundleStore store = await OpenAsync();
        await PublishAsync(store, [1]);
        await FreshAsync(store);
        _standby.Promote();
        await LoggedAsync(26);
        await PublishAsync(store, [2]);
        Assert.Equal([2], await FetchAsync(store));
        Assert.Contains(_logs.Lines, line => line.Text.Contains("it is no standby, or has become the primary", StringComparison.Ordinal));
    }

    private async Task<IBundleStore> OpenAsync()
    {
        Assert.True(PostgresAddress.TryParse(OnStandby, out PostgresAddress? standby, out string? error), error);
        return await PostgresBundleStore.OpenAsync(
            new PostgresStoreOptions(
                _data.Address(), new StoreOptions(Keep: 5, TimeSpan.FromDays(90)), Standby: standby, MaxLag: MaxLag),
            _time,
            _logs);
    }

    private async Task PublishAsync(IBundleStore store, byte[] payload) =>
        Assert.Equal(PublishOutcome.Stored, await store.PublishAsync(_device.Bundle(payload), CancellationToken.None));

    private async Task<byte[]> FetchAsync(IBundleStore store) =>
        (await store.FindNewestAsync(_device.Id, CancellationToken.None))!.Payload.ToArray();

    private async Task AtStandbyAsync(string sql)
    {
        await using NpgsqlCommand command = _atStandby.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private async Task PauseAsync()
    {
        await AtStandbyAsync("SELECT pg_wal_replay_pause()");
        while (await AtStandbyAsync<string>("SELECT pg_get_wal_replay_pause_state()") != "paused")
        {
        }
    }

    // Until a fetch was answered by the standby since now.
    private async Task FreshAsync(IBundleStore store)
    {
        DateTime since = await AtStandbyAsync<DateTime>("SELECT clock_timestamp()");
        await EventuallyAsync(async () =>
        {
            await FetchAsync(store);
            await using NpgsqlCommand asked = _atStandby.CreateCommand(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name <> 'test' AND query LIKE 'SELECT signature%' AND query_start > $1");
            asked.Parameters.AddWithValue(since);
            return (long)(await asked.ExecuteScalarAsync())! > 0;
        });
    }

    private Task LoggedAsync(int id) => EventuallyAsync(() => Task.FromResult(_logs.Lines.Any(line => line.Id.Id == id)));

    private async Task<T> AtStandbyAsync<T>(string sql)
    {
        await using NpgsqlCommand command = _atStandby.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    // The clock goes on, so that the standby is looked at.
    private async Task EventuallyAsync(Func<Task<bool>> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!await condition())
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(10, patience.Token);
        }
    }
}
