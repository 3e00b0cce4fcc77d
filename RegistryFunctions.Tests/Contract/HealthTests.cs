using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Contract;

/// <summary>Whether the registry lives, and whether it can do its work.</summary>
public abstract class HealthTests(Way way) : IAsyncLifetime
{
    private const string Live = "health/live";
    private const string Ready = "health/ready";

    private HostedRegistry _server = null!;

    public async ValueTask InitializeAsync() => _server = await HostedRegistry.StartAsync(way);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData(Live, "live")]
    [InlineData(Ready, "ready")]
    public async Task A_registry_that_works_is_live_and_ready_also_by_HEAD(string path, string status)
    {
        Assert.Equal(status, await StatusAsync(_server, path));
        using HttpResponseMessage head = await _server.SendAsync(HttpMethod.Head, path);
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        Assert.Equal("no-store", head.Headers.CacheControl?.ToString());
        Assert.True(head.Content.Headers.ContentLength > 0);
        Assert.Empty(await head.Content.ReadAsByteArrayAsync());
        using HttpResponseMessage post = await _server.SendAsync(HttpMethod.Post, path);
        await ProblemAssert.IsUnroutedAsync(way, HttpStatusCode.MethodNotAllowed, post);
    }

    [Fact]
    public async Task Another_probe_is_404()
    {
        using HttpResponseMessage response = await _server.SendAsync(HttpMethod.Get, "health/well");
        await ProblemAssert.IsProblemAsync(HttpStatusCode.NotFound, response);
        using HttpResponseMessage none = await _server.SendAsync(HttpMethod.Get, "health");
        await ProblemAssert.IsUnroutedAsync(way, HttpStatusCode.NotFound, none);
    }

    [Fact]
    public async Task Probes_are_not_limited_by_address()
    {
        await using HostedRegistry server = await HostedRegistry.StartAsync(way, [("MaxRequestsPerMinute", "1")]);
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal("live", await StatusAsync(server, Live));
            Assert.Equal("ready", await StatusAsync(server, Ready));
        }
    }

    [Fact]
    public async Task At_the_ceiling_of_the_database_it_is_degraded_until_there_is_room_and_logged_once()
    {
        await using HostedRegistry server = await HostedRegistry.StartAsync(way, [("MaxDbBytes", "1048576")]);
        Assert.Equal("ready", await StatusAsync(server, Ready));
        int stored = 0;
        while ((await server.PublishAsync(new Device(), Device.RandomPayload(4_000))).IsSuccessStatusCode)
        {
            Assert.InRange(++stored, 1, 1_000);
        }

        for (int i = 0; i < 3; i++)
        {
            Assert.Equal("degraded", await StatusLaterAsync(server));
            using HttpResponseMessage refused = await server.PublishAsync(new Device(), Device.RandomPayload(4_000));
            Assert.Equal(HttpStatusCode.InsufficientStorage, refused.StatusCode);
        }

        AssertOneFault(server);
        server.Time.AdjustTime(server.Time.GetUtcNow().AddDays(31));
        await server.PruneAsync();
        Assert.Equal("ready", await StatusLaterAsync(server));
    }

    [Fact]
    public async Task On_a_full_disk_it_is_degraded_and_heals()
    {
        using var disk = new SmallDisk(kibibytes: 1024);
        await using HostedRegistry server = await HostedRegistry.StartAsync(way, [("Db", disk.File("registry.db"))]);
        string filler = disk.FillUp();
        // A few pages of the write-ahead log may still fit.
        int ready = 0;
        while (await StatusLaterAsync(server) != "degraded")
        {
            Assert.InRange(++ready, 1, 100);
        }

        Assert.Equal("live", await StatusAsync(server, Live));
        File.Delete(filler);
        Assert.Equal("ready", await StatusLaterAsync(server));
    }

    [Fact]
    public async Task A_locked_database_is_503_and_heals()
    {
        using (var other = new Database(_server.Db))
        {
            other.Execute("BEGIN IMMEDIATE");
            await AssertUnreadyAsync(_server);
            Assert.Equal("live", await StatusAsync(_server, Live));
        }

        Assert.Equal("ready", await StatusLaterAsync(_server));
        AssertOneFault(_server);
    }

    [Fact]
    public async Task A_file_removed_under_the_registry_is_503_and_logged_once()
    {
        Assert.Equal("ready", await StatusAsync(_server, Ready));
        File.Delete(_server.Db);
        await AssertUnreadyAsync(_server);
        await AssertUnreadyAsync(_server);
        AssertOneFault(_server);
    }

    [Fact]
    public async Task A_database_that_can_t_be_read_is_503_logged_once_and_heals()
    {
        using var database = new Database(_server.Db);
        database.Execute("ALTER TABLE accepted RENAME COLUMN signature TO elsewhere");
        await AssertUnreadyAsync(_server);
        await AssertUnreadyAsync(_server);
        database.Execute("ALTER TABLE accepted RENAME COLUMN elsewhere TO signature");
        Assert.Equal("ready", await StatusLaterAsync(_server));
        AssertOneFault(_server);
    }

    [Fact]
    public async Task Damage_to_one_bundle_is_503_whatever_else_can_be_read_and_heals()
    {
        var (sound, damaged) = (new Device(), new Device());
        byte[] payload = Device.RandomPayload(10_000);
        await _server.PublishAsync(sound, [1]);
        await _server.PublishAsync(damaged, payload);
        await _server.RestartAsync();
        int at = (await File.ReadAllBytesAsync(_server.Db)).AsSpan().IndexOf(payload.AsSpan(9_000, 32));
        await using (FileStream file = File.OpenWrite(_server.Db))
        {
            file.Position = at;
            file.Write(new byte[32]);
        }

        Assert.Equal("ready", await StatusLaterAsync(_server));
        using HttpResponseMessage refused = await _server.GetAsync(damaged.Hex);
        await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, refused);
        for (int i = 0; i < 3; i++)
        {
            await _server.AssertServesAsync(sound, [1]);
            await AssertUnreadyAsync(_server);
        }

        Assert.DoesNotContain(_server.Logs.Lines, line => line.Text.Contains("again", StringComparison.Ordinal));
        AssertOneFault(_server);
        await _server.PublishAsync(damaged, [2]);
        Assert.Equal("ready", await StatusLaterAsync(_server));
        Assert.Single(_server.Logs.Lines, line => line.Text.StartsWith("Bundles can be read again", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Probes_within_a_second_cost_the_database_one_write()
    {
        using var database = new Database(_server.Db);
        long before = database.Scalar<long>("PRAGMA data_version");
        Assert.Equal("ready", await StatusAsync(_server, Ready));
        long once = database.Scalar<long>("PRAGMA data_version");
        Assert.NotEqual(before, once);
        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => StatusAsync(_server, Ready)));
        Assert.Equal(once, database.Scalar<long>("PRAGMA data_version"));
        Assert.Equal("ready", await StatusLaterAsync(_server));
        Assert.NotEqual(once, database.Scalar<long>("PRAGMA data_version"));
    }

    private static async Task<string> StatusAsync(HostedRegistry server, string path)
    {
        using HttpResponseMessage response = await server.SendAsync(HttpMethod.Get, path);
        string body = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, $"{response.StatusCode}: {body}");
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        using JsonDocument json = JsonDocument.Parse(body);
        return json.RootElement.GetProperty("status").GetString()!;
    }

    // Once the last answer has expired.
    private static Task<string> StatusLaterAsync(HostedRegistry server)
    {
        server.Time.Advance(TimeSpan.FromSeconds(1));
        return StatusAsync(server, Ready);
    }

    private static async Task AssertUnreadyAsync(HostedRegistry server)
    {
        server.Time.Advance(TimeSpan.FromSeconds(1));
        using HttpResponseMessage response = await server.SendAsync(HttpMethod.Get, Ready);
        await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, response);
        Assert.NotNull(response.Headers.RetryAfter?.Delta);
    }

    private static void AssertOneFault(HostedRegistry server) =>
        Assert.Single(server.Logs.Lines, line => line.Level >= LogLevel.Warning);

    public sealed class StandAlone() : HealthTests(Way.StandAlone);

    public sealed class ThroughTheWorker() : HealthTests(Way.Worker);
}
