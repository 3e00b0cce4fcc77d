using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Postgres;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

/// <summary>A server of the test's own, which goes away under the stores and comes back.</summary>
public sealed class PostgresOutageTests : IAsyncDisposable
{
    private readonly PostgresCluster _cluster = new();
    private readonly PostgresData _data;
    private readonly LogCollector _logs = new();

    public PostgresOutageTests() => _data = new PostgresData(server: _cluster.ConnectionString);

    public async ValueTask DisposeAsync()
    {
        await _data.DisposeAsync();
        _cluster.Dispose();
    }

    [Fact]
    public async Task What_was_acknowledged_survives_that_the_server_is_killed_in_its_order_and_serving_goes_on()
    {
        await using IBundleStore one = await OpenAsync();
        await using IBundleStore two = await OpenAsync();
        PublishingDevice[] devices = [.. Enumerable.Range(0, 12).Select(i => new PublishingDevice(i % 2 == 0 ? one : two))];
        using var end = new CancellationTokenSource();
        Task load = Task.WhenAll(devices.Select(device => device.PublishAsync(end.Token)));
        for (int round = 0; round < 3; round++)
        {
            await Task.WhenAll(devices.Select(device => device.AcknowledgedAsync(10)));
            _cluster.StopImmediately();
            _cluster.Start();
        }

        await Task.WhenAll(devices.Select(device => device.AcknowledgedAsync(10)));
        await end.CancelAsync();
        await load;
        foreach (PublishingDevice device in devices)
        {
            await device.AssertServedAsync(two);
        }

        Assert.Equal(0, await _data.ScalarAsync<long>(PublishingDevice.CountOutOfOrder));
    }

    [Fact]
    public async Task An_outage_is_a_fault_logged_when_it_begins_and_when_it_is_over()
    {
        await using IBundleStore store = await OpenAsync();
        var device = new Device();
        await store.PublishAsync(device.Bundle([1]), CancellationToken.None);
        _cluster.StopImmediately();
        for (int i = 0; i < 3; i++)
        {
            await AssertUnavailableAsync(() => store.PublishAsync(device.Bundle([2]), CancellationToken.None).AsTask());
            await AssertUnavailableAsync(() => store.FindNewestAsync(device.Id, CancellationToken.None).AsTask());
            await AssertUnavailableAsync(() => store.ProbeAsync().AsTask());
        }

        _cluster.Start();
        await store.ProbeAsync();
        Assert.Equal([1], (await store.FindNewestAsync(device.Id, CancellationToken.None))!.Payload.ToArray());
        Assert.Equal(PublishOutcome.Stored, await store.PublishAsync(device.Bundle([2]), CancellationToken.None));
        Assert.Equal([20, 20, 21, 21], _logs.Lines.Select(line => line.Id.Id).Order());
    }

    [Fact]
    public async Task A_server_that_becomes_read_only_refuses_publishes_serves_fetches_and_heals()
    {
        await using IBundleStore store = await OpenAsync();
        var device = new Device();
        await store.PublishAsync(device.Bundle([1]), CancellationToken.None);
        _cluster.Configure("default_transaction_read_only = on");
        // A setting reaches a session before its next statement, but when is the server's affair.
        while (await TryPublishAsync(store))
        {
        }

        await AssertUnavailableAsync(() => store.ProbeAsync().AsTask());
        Assert.Equal([1], (await store.FindNewestAsync(device.Id, CancellationToken.None))!.Payload.ToArray());
        _cluster.Configure("default_transaction_read_only = off");
        while (!await TryPublishAsync(store))
        {
        }

        await store.ProbeAsync();
    }

    [Fact]
    public async Task A_server_that_does_not_flush_is_refused()
    {
        _cluster.Configure("fsync = off");
        // Of the server, not of a session; told to it at the reload.
        while (await _data.ScalarAsync<string>("SHOW fsync") == "on")
        {
        }

        StoreOpenException refused = await Assert.ThrowsAsync<StoreOpenException>(OpenAsync);
        Assert.Contains("fsync is off", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_password_is_asked_for_used_and_never_told()
    {
        _data.Execute("CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'open sesame'");
        _cluster.RequirePasswordOf("guarded");
        string url = _data.ConnectionString.Replace("Username=registry", "Username=guarded", StringComparison.Ordinal);
        foreach (string? wrong in (string?[])[null, "sesame"])
        {
            StoreOpenException refused = await Assert.ThrowsAsync<StoreOpenException>(() => OpenAsync(PostgresAddress.Of(url, wrong)!));
            Assert.DoesNotContain("sesame", refused.ToString(), StringComparison.Ordinal);
            Assert.DoesNotContain('\n', refused.Message);
        }

        await (await OpenAsync(PostgresAddress.Of(url, "open sesame")!)).DisposeAsync();
    }

    private static async Task AssertUnavailableAsync(Func<Task> request) =>
        Assert.Equal(StoreFault.Unavailable, (await Assert.ThrowsAsync<StoreException>(request)).Fault);

    private static async Task<bool> TryPublishAsync(IBundleStore store)
    {
        try
        {
            await store.PublishAsync(new Device().Bundle([1]), CancellationToken.None);
            return true;
        }
        catch (StoreException)
        {
            return false;
        }
    }

    private Task<IBundleStore> OpenAsync() => OpenAsync(_data.Address());

    private async Task<IBundleStore> OpenAsync(PostgresAddress address) => await PostgresBundleStore.OpenAsync(
        new PostgresStoreOptions(address, new StoreOptions(Keep: 5, TimeSpan.FromDays(90))), TimeProvider.System, _logs);
}
