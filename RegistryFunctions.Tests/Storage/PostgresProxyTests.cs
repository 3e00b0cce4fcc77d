using Npgsql;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Postgres;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

/// <summary>A server that is there, behind a network that is not.</summary>
public sealed class PostgresProxyTests : IAsyncDisposable
{
    private readonly PostgresData _data = new();
    private readonly TcpProxy _proxy;
    private readonly LogCollector _logs = new();
    private readonly Device _device = new();

    public PostgresProxyTests()
    {
        var server = new NpgsqlConnectionStringBuilder(_data.ConnectionString);
        _proxy = new TcpProxy(server.Host!, server.Port);
    }

    public async ValueTask DisposeAsync()
    {
        _proxy.Dispose();
        await _data.DisposeAsync();
    }

    [Fact]
    public async Task A_publish_whose_answer_is_lost_is_a_fault_and_can_be_sent_again()
    {
        await using IBundleStore store = await OpenAsync();
        await PublishAsync(store, [1]);
        _proxy.CutsAnswers = true;
        StoreException fault = await Assert.ThrowsAsync<StoreException>(() => PublishAsync(store, [2]));
        Assert.Equal(StoreFault.Unavailable, fault.Fault);
        _proxy.CutsAnswers = false;
        // It was stored before its answer was cut off.
        Assert.Equal(PublishOutcome.AlreadyCurrent, await EventuallyAsync(() => PublishAsync(store, [2])));
        Assert.Equal([2], await FetchAsync(store));
        Assert.Equal((2, 0), await _data.CountAsync(_device.Id));
    }

    [Fact]
    public async Task A_network_that_hangs_is_a_fault_and_is_healed_from()
    {
        await using IBundleStore store = await OpenAsync("Timeout=1;Command Timeout=1;Cancellation Timeout=100");
        await PublishAsync(store, [1]);
        _proxy.Hold();
        await Assert.ThrowsAsync<StoreException>(() => PublishAsync(store, [2]));
        await Assert.ThrowsAsync<StoreException>(() => FetchAsync(store));
        await Assert.ThrowsAsync<StoreException>(() => store.ProbeAsync().AsTask());
        _proxy.LetGo();
        await EventuallyAsync(() => PublishAsync(store, [3]));
        Assert.Equal([3], await EventuallyAsync(() => FetchAsync(store)));
    }

    [Fact]
    public async Task Connections_that_the_server_has_half_closed_are_made_anew()
    {
        await using IBundleStore store = await OpenAsync();
        await PublishAsync(store, [1]);
        Assert.Equal([1], await FetchAsync(store));
        _proxy.HalfClose();
        await EventuallyAsync(() => PublishAsync(store, [2]));
        Assert.Equal([2], await EventuallyAsync(() => FetchAsync(store)));
    }

    [Fact]
    public async Task An_outage_is_told_once_when_it_begins_and_once_when_it_is_over()
    {
        await using IBundleStore store = await OpenAsync();
        await PublishAsync(store, [1]);
        _proxy.Refuses = true;
        _proxy.Cut();
        for (byte i = 2; i < 5; i++)
        {
            StoreException fault = await Assert.ThrowsAsync<StoreException>(() => PublishAsync(store, [i]));
            Assert.Equal(StoreFault.Unavailable, fault.Fault);
        }

        _proxy.Refuses = false;
        await EventuallyAsync(() => PublishAsync(store, [5]));
        Assert.Equal([20, 21], _logs.Lines.Select(line => line.Id.Id));
    }

    [Fact]
    public async Task What_was_acknowledged_stays_in_its_order_while_connections_are_cut_again_and_again()
    {
        await using IBundleStore store = await OpenAsync();
        PublishingDevice[] devices = [.. Enumerable.Range(0, 12).Select(_ => new PublishingDevice(store))];
        using var end = new CancellationTokenSource();
        Task load = Task.WhenAll(devices.Select(device => device.PublishAsync(end.Token)));
        for (int i = 0; i < 20; i++)
        {
            await Task.WhenAll(devices.Select(device => device.AcknowledgedAsync(3)));
            // Now at any moment, now when the server has done it and answers.
            _proxy.CutsAnswers = i % 2 == 0;
            if (_proxy.CutsAnswers)
            {
                await devices[i % devices.Length].RefusedAsync();
                _proxy.CutsAnswers = false;
            }
            else
            {
                _proxy.Cut();
            }
        }

        await end.CancelAsync();
        await load;
        foreach (PublishingDevice device in devices)
        {
            await device.AssertServedAsync(store);
        }

        Assert.Equal(0, await _data.ScalarAsync<long>(PublishingDevice.CountOutOfOrder));
    }

    private async Task<IBundleStore> OpenAsync(string with = "") => await PostgresBundleStore.OpenAsync(
        new PostgresStoreOptions(
            PostgresAddress.Of($"{_data.ConnectionString};Host=127.0.0.1;Port={_proxy.Port};{with}", password: null)!,
            new StoreOptions(Keep: 5, TimeSpan.FromDays(90))),
        TimeProvider.System,
        _logs);

    private async Task<PublishOutcome> PublishAsync(IBundleStore store, byte[] payload) =>
        await store.PublishAsync(_device.Bundle(payload), CancellationToken.None);

    private async Task<byte[]> FetchAsync(IBundleStore store) =>
        (await store.FindNewestAsync(_device.Id, CancellationToken.None))!.Payload.ToArray();

    // A pool has several connections, each of which may have to fail once.
    private static async Task<T> EventuallyAsync<T>(Func<Task<T>> request)
    {
        for (int i = 0; ; i++)
        {
            try
            {
                return await request();
            }
            catch (StoreException) when (i < 100)
            {
                // Once more.
            }
        }
    }
}
