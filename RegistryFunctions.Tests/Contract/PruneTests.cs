using Microsoft.Extensions.Logging;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Contract;

/// <summary>Retention and the limit per device, with the clock in the test's hands.</summary>
public abstract class PruneTests(Way way) : IAsyncLifetime
{
    private readonly Device _device = new();
    private HostedRegistry _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await HostedRegistry.StartAsync(way);
        // From now on it knows how the clock runs.
        await _server.PruneAsync();
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task Bundles_older_than_the_retention_are_dropped_and_no_others()
    {
        await _server.PublishAsync(_device, [1]);
        _server.Time.Advance(TimeSpan.FromDays(10));
        var later = new Device();
        await _server.PublishAsync(later, [2]);

        _server.Time.Advance(TimeSpan.FromDays(20));
        await _server.PruneAsync();
        await _server.AssertServesAsync(_device, [1]);

        _server.Time.Advance(TimeSpan.FromMilliseconds(1));
        await _server.PruneAsync();
        Assert.Null(await _server.FetchAsync(_device));
        await _server.AssertServesAsync(later, [2]);
    }

    [Fact]
    public async Task A_device_never_holds_more_than_the_limit_whether_or_not_the_timer_ran()
    {
        for (byte i = 0; i < 12; i++)
        {
            await _server.PublishAsync(_device, [i]);
            Assert.Equal(int.Min(i + 1, 5), _server.Scalar("SELECT count(*) FROM bundle"));
        }

        // Payloads 07 to 0B are left: the newest five.
        Assert.StartsWith("07,", _server.Payloads(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_limit_per_device_can_be_set()
    {
        await using HostedRegistry server = await HostedRegistry.StartAsync(way, [("MaxPerIdentity", "2")]);
        for (byte i = 0; i < 4; i++)
        {
            await server.PublishAsync(_device, [i]);
        }

        Assert.Equal("02,03", server.Payloads());
    }

    [Fact]
    public async Task The_limit_keeps_those_accepted_last_whatever_the_clock_said()
    {
        int[] days = [0, 9, -20, 3, -1, -300, 40, -2];
        for (int i = 0; i < days.Length; i++)
        {
            _server.Time.AdjustTime(_server.Time.GetUtcNow().AddDays(days[i]));
            await _server.PublishAsync(_device, [(byte)i]);
        }

        Assert.Equal("03,04,05,06,07", _server.Payloads());
        await _server.AssertServesAsync(_device, [7]);
    }

    [Fact]
    public async Task The_limit_counts_each_device_by_itself()
    {
        var other = new Device();
        for (byte i = 0; i < 7; i++)
        {
            await _server.PublishAsync(_device, [i]);
        }

        await _server.PublishAsync(other, [1]);
        Assert.Equal(6, _server.Scalar("SELECT count(*) FROM bundle"));
        await _server.AssertServesAsync(other, [1]);
    }

    [Theory]
    [InlineData(90)]
    [InlineData(0)]
    public async Task A_clock_set_back_does_not_bring_a_superseded_bundle_back(int replayWindowDays)
    {
        await using HostedRegistry server = await HostedRegistry.StartAsync(way, [("ReplayWindowDays", $"{replayWindowDays}")]);
        server.Time.AdjustTime(server.Time.GetUtcNow().AddYears(1));
        await server.PublishAsync(_device, [1]);
        server.Time.AdjustTime(server.Time.GetUtcNow().AddYears(-1));
        await server.PublishAsync(_device, [2]);
        server.Time.AdjustTime(server.Time.GetUtcNow().AddDays(31));
        await server.PruneAsync();
        Assert.Null(await server.FetchAsync(_device));
    }

    [Fact]
    public async Task A_prune_says_how_much_it_dropped()
    {
        await _server.PublishAsync(_device, [1]);
        await _server.PublishAsync(_device, [2]);
        _server.Time.AdjustTime(_server.Time.GetUtcNow().AddDays(40));
        Assert.StartsWith("Pruned 2 bundles", await _server.PruneAsync(), StringComparison.Ordinal);
        Assert.StartsWith("Pruned 0 bundles", await _server.PruneAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_clock_set_forward_does_not_empty_the_registry_without_a_warning()
    {
        await PublishAsync(devices: 120);
        _server.Time.Ahead = TimeSpan.FromDays(365);
        Assert.StartsWith("Pruned 120 bundles", await _server.PruneAsync(), StringComparison.Ordinal);
        LogLine line = Assert.Single(_server.Logs.Lines, line => line.Level >= LogLevel.Warning);
        Assert.Equal(LogEvents.MostIsDue, line.Id.Id);
        Assert.Contains("The clock says 2027-01-01 00:00:00Z; 120 bundles", line.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_clock_that_is_ahead_when_the_registry_starts_does_not_empty_it_without_a_warning()
    {
        await PublishAsync(devices: 100);
        _server.Time.Ahead = TimeSpan.FromDays(31);
        await _server.RestartAsync();
        await _server.PruneAsync();
        Assert.Contains(_server.Logs.Lines, line => line.Id.Id == LogEvents.MostIsDue);
        Assert.Equal(0, _server.Scalar("SELECT count(*) FROM bundle"));
    }

    [Fact]
    public async Task A_few_bundles_that_came_due_while_the_registry_was_stopped_are_no_cause_for_a_warning()
    {
        await PublishAsync(devices: 99);
        _server.Time.Ahead = TimeSpan.FromDays(31);
        await _server.RestartAsync();
        await _server.PruneAsync();
        Assert.DoesNotContain(_server.Logs.Lines, line => line.Level >= LogLevel.Warning);
    }

    [Fact]
    public async Task A_registry_that_was_quiet_for_the_retention_is_emptied_without_a_warning()
    {
        await PublishAsync(devices: 120);
        _server.Time.AdjustTime(_server.Time.GetUtcNow().AddDays(31));
        Assert.StartsWith("Pruned 120 bundles", await _server.PruneAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain(_server.Logs.Lines, line => line.Level >= LogLevel.Warning);
    }

    [Theory]
    [InlineData(120, 119, true)]
    [InlineData(120, 120, false)]
    [InlineData(1, 0, true)]
    public async Task A_clock_jump_warns_when_most_bundles_become_due(
        int old, int young, bool isWorthIt)
    {
        await PublishAsync(old);
        _server.Time.AdjustTime(_server.Time.GetUtcNow().AddDays(20));
        await PublishAsync(young);
        _server.Time.Ahead = TimeSpan.FromDays(15);
        Assert.StartsWith($"Pruned {old} bundles", await _server.PruneAsync(), StringComparison.Ordinal);
        Assert.Equal(isWorthIt, _server.Logs.Lines.Any(line => line.Id.Id == LogEvents.MostIsDue));
    }

    private async Task PublishAsync(int devices) =>
        await Task.WhenAll(Enumerable.Range(0, devices).Select(_ => _server.PublishAsync(new Device(), [1])));

    public sealed class StandAlone() : PruneTests(Way.StandAlone);

    public sealed class ThroughTheWorker() : PruneTests(Way.Worker);

    public sealed class OnPostgres() : PruneTests(Way.OnPostgres);
}
