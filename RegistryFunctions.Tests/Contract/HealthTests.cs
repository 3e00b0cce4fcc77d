using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using RegistryFunctions.Bundles;
using RegistryFunctions.Functions;
using RegistryFunctions.Storage;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Contract;

/// <summary>Whether the registry lives, and whether it can do its work.</summary>
public sealed class HealthTests : IAsyncLifetime
{
    private const string Live = "health/live";
    private const string Ready = "health/ready";
    private const int PrunedEvent = 10;

    private RegistryServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await RegistryServer.StartAsync();
        // The prune at the start writes too.
        await _server.Logs.NextAsync(PrunedEvent);
    }

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
        Assert.NotEqual(0, head.Content.Headers.ContentLength);
        Assert.Empty(await head.Content.ReadAsByteArrayAsync());
        using HttpResponseMessage post = await _server.SendAsync(HttpMethod.Post, path);
        await ProblemAssert.IsProblemAsync(HttpStatusCode.MethodNotAllowed, post);
    }

    [Theory]
    [InlineData("health/well")]
    [InlineData("health")]
    public async Task Another_probe_is_404(string path)
    {
        using HttpResponseMessage response = await _server.SendAsync(HttpMethod.Get, path);
        await ProblemAssert.IsProblemAsync(HttpStatusCode.NotFound, response);
    }

    [Fact]
    public async Task Probes_are_not_limited_by_address()
    {
        await using RegistryServer server = await RegistryServer.StartAsync(o => o with { MaxRequestsPerMinute = 1 });
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal("live", await StatusAsync(server, Live));
            Assert.Equal("ready", await StatusAsync(server, Ready));
        }
    }

    [Fact]
    public async Task At_the_ceiling_of_the_database_it_is_degraded_until_there_is_room_and_logged_once()
    {
        await using RegistryServer server = await RegistryServer.StartAsync(o => o with { MaxDbBytes = 1024 * 1024 });
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
        await using RegistryServer server = await RegistryServer.StartAsync(o => o with { Db = disk.File("registry.db") });
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
    public async Task A_file_removed_under_the_server_is_503_and_logged_once()
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
    public async Task Damage_in_the_database_is_503()
    {
        using var folder = new TestFolder();
        string db = folder.File("registry.db");
        await using (RegistryServer server = await RegistryServer.StartAsync(o => o with { Db = db }))
        {
            await server.PublishAsync(new Device(), [1]);
        }

        long page, size;
        using (var database = new Database(db))
        {
            page = database.Scalar<long>("SELECT rootpage FROM sqlite_schema WHERE name = 'accepted_by_device'");
            size = database.Scalar<long>("PRAGMA page_size");
        }

        await using (FileStream file = File.OpenWrite(db))
        {
            file.Position = (page - 1) * size;
            file.Write(new byte[size]);
        }

        await using RegistryServer damaged = await RegistryServer.StartAsync(o => o with { Db = db });
        await AssertUnreadyAsync(damaged);
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

    [Fact]
    public async Task Probes_that_come_while_the_store_is_slow_wait_for_one_answer()
    {
        await using var store = new SlowStore();
        var time = new FakeTimeProvider();
        var health = new Health(store, time);
        Task[] waiting = [.. Enumerable.Range(0, 20).Select(_ =>
        {
            time.Advance(TimeSpan.FromSeconds(10));
            var context = new DefaultHttpContext();
            context.Request.RouteValues["probe"] = "ready";
            return health.InvokeAsync(context);
        })];
        store.Answer.SetResult();
        await Task.WhenAll(waiting);
        Assert.Equal(1, store.Probes);
    }

    private static async Task<string> StatusAsync(RegistryServer server, string path)
    {
        using HttpResponseMessage response = await server.SendAsync(HttpMethod.Get, path);
        string body = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, $"{response.StatusCode}: {body}");
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        using JsonDocument json = JsonDocument.Parse(body);
        return json.RootElement.GetProperty("status").GetString()!;
    }

    // Once the last answer has expired.
    private static Task<string> StatusLaterAsync(RegistryServer server)
    {
        server.Time.Advance(TimeSpan.FromSeconds(1));
        return StatusAsync(server, Ready);
    }

    private static async Task AssertUnreadyAsync(RegistryServer server)
    {
        server.Time.Advance(TimeSpan.FromSeconds(1));
        using HttpResponseMessage response = await server.SendAsync(HttpMethod.Get, Ready);
        await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, response);
        Assert.NotNull(response.Headers.RetryAfter?.Delta);
    }

    private static void AssertOneFault(RegistryServer server) =>
        Assert.Single(server.Logs.Lines, line => line.Level >= LogLevel.Warning);

    private sealed class SlowStore : IBundleStore
    {
        public TaskCompletionSource Answer { get; } = new();

        public int Probes { get; private set; }

        public ValueTask ProbeAsync()
        {
            Probes++;
            return new ValueTask(Answer.Task);
        }

        public ValueTask<PublishOutcome> PublishAsync(VerifiedBundle bundle, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask<Bundle?> FindNewestAsync(DeviceId device, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask<int> PruneAsync(DateTimeOffset cutoff, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask<(long Count, bool IsMost)> CountReceivedBeforeAsync(
            DateTimeOffset cutoff, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
