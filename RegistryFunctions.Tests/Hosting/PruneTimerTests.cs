using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>The timer of the stand-alone server. For a worker the Functions host has one.</summary>
public sealed class PruneTimerTests : IAsyncLifetime
{
    private readonly Device _device = new();
    private HostedRegistry _server = null!;

    public async ValueTask InitializeAsync() => _server = await HostedRegistry.StartAsync(Way.StandAlone);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task The_timer_prunes_at_start_and_at_every_interval()
    {
        await _server.PublishAsync(_device, [1]);
        // Jumps without ticks, so that there is one tick after it.
        _server.Time.AdjustTime(_server.Time.GetUtcNow().AddDays(31));
        _server.Time.Advance(TimeSpan.FromHours(1));
        await _server.Logs.NextAsync(LogEvents.Pruned);
        Assert.Null(await _server.FetchAsync(_device));

        await _server.PublishAsync(_device, [2]);
        _server.Time.AdjustTime(_server.Time.GetUtcNow().AddDays(31));
        await _server.RestartAsync();
        Assert.Null(await _server.FetchAsync(_device));
    }

    [Theory]
    [InlineData(90)]
    [InlineData(86_400)]
    public async Task The_timer_prunes_at_the_interval_that_is_set(int seconds)
    {
        await using HostedRegistry server = await HostedRegistry.StartAsync(Way.StandAlone, [("PruneIntervalSecs", $"{seconds}")]);
        DateTimeOffset start = server.Time.GetUtcNow();
        server.Time.Advance(TimeSpan.FromSeconds(seconds - 1));
        server.Time.Advance(TimeSpan.FromSeconds(1));
        // A prune before its time would have looked back from there.
        LogLine line = await server.Logs.NextAsync(LogEvents.Pruned);
        Assert.Contains($"received before {start.AddSeconds(seconds).AddDays(-30):u}", line.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_timer_survives_a_prune_that_fails_whatever_the_cause()
    {
        await _server.PublishAsync(_device, [1]);
        using var database = new Database(_server.Db);
        database.Execute("CREATE TRIGGER fault BEFORE UPDATE ON accepted BEGIN SELECT RAISE(ABORT, 'fault'); END");
        _server.Time.AdjustTime(_server.Time.GetUtcNow().AddDays(31));
        _server.Time.Advance(TimeSpan.FromHours(1));
        await _server.Logs.NextAsync(LogEvents.PruneFailed);
        Assert.NotNull(await _server.FetchAsync(_device));

        database.Execute("DROP TRIGGER fault");
        _server.Time.Advance(TimeSpan.FromHours(1));
        await _server.Logs.NextAsync(LogEvents.Pruned);
        Assert.Null(await _server.FetchAsync(_device));
    }
}
