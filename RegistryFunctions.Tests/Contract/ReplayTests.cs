using System.Net;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Contract;

/// <summary>Anyone can fetch an old bundle and post it again: it must not become current.</summary>
public abstract class ReplayTests(Way way) : IAsyncLifetime
{
    private readonly Device _device = new();
    private HostedRegistry _server = null!;

    public async ValueTask InitializeAsync() => _server = await HostedRegistry.StartAsync(way);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task The_current_bundle_again_is_204_and_nothing_changes()
    {
        await PublishAsync(1, HttpStatusCode.NoContent);
        await PublishAsync(1, HttpStatusCode.NoContent);
        Assert.Equal(1, _server.Scalar("SELECT count(*) FROM bundle"));
        await _server.AssertServesAsync(_device, [1]);
    }

    [Fact]
    public async Task The_current_bundle_again_does_not_refresh_its_retention()
    {
        await PublishAsync(1, HttpStatusCode.NoContent);
        _server.Time.AdjustTime(_server.Time.GetUtcNow().AddDays(20));
        await PublishAsync(1, HttpStatusCode.NoContent);
        _server.Time.AdjustTime(_server.Time.GetUtcNow().AddDays(11));
        await _server.PruneAsync();
        Assert.Null(await _server.FetchAsync(_device));
    }

    [Fact]
    public async Task A_superseded_payload_is_409_and_nothing_changes()
    {
        for (byte i = 0; i < 20; i++)
        {
            await PublishAsync(i, HttpStatusCode.NoContent);
        }

        for (byte i = 0; i < 19; i++)
        {
            await PublishAsync(i, HttpStatusCode.Conflict);
        }

        await _server.AssertServesAsync(_device, [19]);
        Assert.Equal(5, _server.Scalar("SELECT count(*) FROM bundle"));
    }

    [Fact]
    public async Task A_superseded_payload_is_409_after_a_restart()
    {
        await PublishAsync(1, HttpStatusCode.NoContent);
        await PublishAsync(2, HttpStatusCode.NoContent);
        await _server.RestartAsync();
        await PublishAsync(1, HttpStatusCode.Conflict);
    }

    [Fact]
    public async Task A_payload_is_remembered_after_its_bundle_was_pruned_for_as_long_as_the_window()
    {
        await PublishAsync(1, HttpStatusCode.NoContent);
        await PublishAsync(2, HttpStatusCode.NoContent);
        _server.Time.AdjustTime(_server.Time.GetUtcNow().AddDays(31));
        await _server.PruneAsync();
        Assert.Equal(0, _server.Scalar("SELECT count(*) FROM bundle"));
        await PublishAsync(1, HttpStatusCode.Conflict);
        await PublishAsync(2, HttpStatusCode.Conflict);
        await PublishAsync(3, HttpStatusCode.NoContent);

        _server.Time.AdjustTime(_server.Time.GetUtcNow().AddDays(60));
        await _server.PruneAsync();
        Assert.Equal(1, _server.Scalar("SELECT count(*) FROM spent"));
        await PublishAsync(1, HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task Another_device_may_publish_the_same_payload()
    {
        await PublishAsync(1, HttpStatusCode.NoContent);
        await PublishAsync(2, HttpStatusCode.NoContent);
        var other = new Device();
        using HttpResponseMessage response = await _server.PublishAsync(other, [1]);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
    }

    [Fact]
    public async Task What_is_remembered_of_a_device_is_bounded()
    {
        for (int i = 0; i < 200; i++)
        {
            _server.Time.AdjustTime(_server.Time.GetUtcNow().AddMilliseconds(1));
            using HttpResponseMessage response = await _server.PublishAsync(_device, BitConverter.GetBytes(i));
            Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        }

        Assert.Equal(128, _server.Scalar("SELECT count(*) FROM spent"));
        using HttpResponseMessage recent = await _server.PublishAsync(_device, BitConverter.GetBytes(200 - 5 - 128));
        Assert.Equal(HttpStatusCode.Conflict, recent.StatusCode);
    }

    [Fact]
    public async Task A_window_of_0_turns_the_rule_off()
    {
        await using HostedRegistry off = await HostedRegistry.StartAsync(way, [("ReplayWindowDays", "0")]);
        for (byte i = 0; i < 12; i++)
        {
            using HttpResponseMessage response = await off.PublishAsync(_device, [(byte)(i % 3)]);
            Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
            await off.AssertServesAsync(_device, [(byte)(i % 3)]);
        }

        Assert.Equal(0, off.Scalar("SELECT count(*) FROM spent"));
    }

    [Fact]
    public async Task One_payload_posted_concurrently_is_stored_once()
    {
        HttpResponseMessage[] responses = await Task.WhenAll(
            Enumerable.Range(0, 40).Select(_ => _server.PublishAsync(_device, [1])));
        Assert.All(responses, response => Assert.Equal(HttpStatusCode.NoContent, response.StatusCode));
        Assert.Equal(1, _server.Scalar("SELECT count(*) FROM bundle"));
    }

    [Fact]
    public async Task Replays_among_concurrent_publishes_never_become_current()
    {
        await PublishAsync(0, HttpStatusCode.NoContent);
        await PublishAsync(1, HttpStatusCode.NoContent);
        HttpResponseMessage[] responses = await Task.WhenAll(
            Enumerable.Range(0, 60).Select(i => _server.PublishAsync(_device, [i % 2 == 0 ? (byte)0 : (byte)(i + 1)])));
        for (int i = 0; i < responses.Length; i++)
        {
            Assert.Equal(i % 2 == 0 ? HttpStatusCode.Conflict : HttpStatusCode.NoContent, responses[i].StatusCode);
        }

        Assert.NotEqual([0], (await _server.FetchAsync(_device))!);
    }

    private async Task PublishAsync(byte payload, HttpStatusCode expected)
    {
        using HttpResponseMessage response = await _server.PublishAsync(_device, [payload]);
        if (expected == HttpStatusCode.Conflict)
        {
            string detail = await ProblemAssert.IsProblemAsync(expected, response);
            Assert.StartsWith("payload:", detail, StringComparison.Ordinal);
        }

        Assert.Equal(expected, response.StatusCode);
    }

    public sealed class StandAlone() : ReplayTests(Way.StandAlone);

    public sealed class ThroughTheWorker() : ReplayTests(Way.Worker);

    public sealed class OnPostgres() : ReplayTests(Way.OnPostgres);
}
