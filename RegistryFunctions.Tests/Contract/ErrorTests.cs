using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Contract;

/// <summary>Every error is a problem document that a person can act on.</summary>
public abstract class ErrorTests(Way way) : IAsyncLifetime
{
    private RegistryServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await RegistryServer.StartAsync(way);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData("GET", "v0", HttpStatusCode.NotFound)]
    [InlineData("POST", "v0/keypackages", HttpStatusCode.NotFound)]
    [InlineData("POST", "Prune", HttpStatusCode.NotFound)]
    [InlineData("GET", "v0/keypackage", HttpStatusCode.MethodNotAllowed)]
    [InlineData("DELETE", "v0/keypackage/00", HttpStatusCode.MethodNotAllowed)]
    public async Task Other_paths_are_404_and_other_methods_405(string method, string path, HttpStatusCode status)
    {
        using HttpResponseMessage response = await _server.SendAsync(new HttpMethod(method), path);
        await ProblemAssert.IsUnroutedAsync(way, status, response);
    }

    [Fact]
    public async Task A_database_that_can_t_be_read_is_503_logged_once_and_heals()
    {
        var device = new Device();
        await _server.PublishAsync(device, [1]);
        using (var database = new Database(_server.Db))
        {
            database.Execute("ALTER TABLE accepted RENAME COLUMN signature TO elsewhere");
            for (int i = 0; i < 3; i++)
            {
                using HttpResponseMessage refused = await _server.GetAsync(device.Hex);
                await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, refused);
            }

            database.Execute("ALTER TABLE accepted RENAME COLUMN elsewhere TO signature");
        }

        Assert.NotNull(await _server.FetchAsync(device));
        await _server.StopWithOneWarningAsync();
    }

    [Fact]
    public async Task A_bug_is_500_that_shows_nothing_of_the_inside_and_is_logged_with_its_stack_trace()
    {
        using var database = new Database(_server.Db);
        database.Execute("CREATE TRIGGER bug BEFORE INSERT ON accepted BEGIN SELECT RAISE(ABORT, 'the inside'); END");
        using HttpResponseMessage response = await _server.PublishAsync(new Device(), [1]);
        string detail = await ProblemAssert.IsProblemAsync(HttpStatusCode.InternalServerError, response);
        Assert.Equal("an unexpected error, which has been logged", detail);
        LogLine line = await _server.StopWithOneWarningAsync();
        Assert.Contains("the inside", line.Text, StringComparison.Ordinal);
        Assert.Contains("   at RegistryFunctions.", line.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_resets_in_the_middle_of_a_body_is_no_error_of_the_server()
    {
        for (int i = 0; i < 5; i++)
        {
            using var client = new TcpClient { LingerState = new LingerOption(enable: true, seconds: 0) };
            await client.ConnectAsync(_server.Url.Host, _server.Url.Port);
            NetworkStream stream = client.GetStream();
            await stream.WriteAsync("POST /v0/keypackage HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 900\r\n\r\n"u8.ToArray());
            // "100 Continue" tells that the function is reading the body.
            Assert.NotEqual(0, await stream.ReadAsync(new byte[100]));
            await stream.WriteAsync("{"u8.ToArray());
        }

        await _server.AssertStopsWithoutWarningsAsync();
    }

    [Fact]
    public async Task A_client_that_leaves_while_its_publish_waits_in_the_queue_is_not_written()
    {
        WatchedStore watched = null!;
        await using HostedRegistry server = await HostedRegistry.StartAsync(way, with: builder =>
        {
            ServiceDescriptor store = builder.Services.Single(service => service.ServiceType == typeof(IBundleStore));
            builder.Services.AddSingleton<IBundleStore>(
                provider => watched = new WatchedStore((IBundleStore)store.ImplementationFactory!(provider)));
        });
        var (gone, stays) = (new Device(), new Device());
        using var other = new Database(server.Db);
        other.Execute("BEGIN IMMEDIATE");
        CancellationToken left;
        using (var client = new TcpClient { LingerState = new LingerOption(enable: true, seconds: 0) })
        {
            await client.ConnectAsync(server.Url.Host, server.Url.Port);
            string body = gone.Publication([1]);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
                $"POST /v0/keypackage HTTP/1.1\r\nHost: x\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
            left = await watched.Queued;
        }

        var hasLeft = new TaskCompletionSource();
        await using CancellationTokenRegistration registration = left.Register(hasLeft.SetResult);
        await hasLeft.Task.WaitAsync(TimeSpan.FromMinutes(1));
        other.Execute("COMMIT");
        // It comes after the one that left, so that one's turn is over then.
        using HttpResponseMessage published = await server.PublishAsync(stays, [2]);
        Assert.Equal(HttpStatusCode.NoContent, published.StatusCode);
        Assert.Null(await server.FetchAsync(gone));
        Assert.Equal(1, server.Scalar("SELECT count(*) FROM bundle"));
    }

    [Fact]
    public async Task A_cancellation_that_no_client_has_caused_is_a_bug()
    {
        await using HostedRegistry server = await HostedRegistry.StartAsync(way, with: builder =>
            builder.Services.AddSingleton<IBundleStore, CancellingStore>());
        using HttpResponseMessage response = await server.GetAsync(new Device().Hex);
        await ProblemAssert.IsProblemAsync(HttpStatusCode.InternalServerError, response);
        LogLine line = await server.StopWithOneWarningAsync();
        Assert.Contains("A request failed unexpectedly", line.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-wal")]
    public async Task A_file_removed_under_the_registry_is_503_for_publishes_and_logged_once(string suffix)
    {
        var device = new Device();
        await _server.PublishAsync(device, [1]);
        File.Delete(_server.Db + suffix);
        for (int i = 0; i < 3; i++)
        {
            using HttpResponseMessage refused = await _server.PublishAsync(device, [2]);
            await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, refused);
        }

        LogLine line = await _server.StopWithOneWarningAsync();
        Assert.Contains("removed or replaced", line.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_only_a_removed_log_held_is_there_after_a_restart()
    {
        var device = new Device();
        await _server.PublishAsync(device, [1]);
        File.Delete($"{_server.Db}-wal");
        using HttpResponseMessage refused = await _server.PublishAsync(device, [2]);
        await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, refused);
        await _server.RestartAsync();
        await _server.AssertServesAsync(device, [1]);
        using HttpResponseMessage published = await _server.PublishAsync(device, [3]);
        Assert.Equal(HttpStatusCode.NoContent, published.StatusCode);
    }

    [Theory]
    [InlineData("payload")]
    [InlineData("signature")]
    [InlineData("digest")]
    [InlineData("checksum")]
    public async Task Bytes_damaged_on_the_disk_are_503_and_never_served(string column)
    {
        var device = new Device();
        await _server.PublishAsync(device, [1, 2, 3]);
        using var database = new Database(_server.Db);
        // Flips the lowest bit of a number; replaces the first byte of a blob.
        database.Execute(column is "digest" or "checksum"
            ? $"UPDATE accepted SET {column} = ({column} | 1) - ({column} & 1)"
            : $"UPDATE accepted SET {column} = CAST(iif(substr({column}, 1, 1) = x'00', x'01', x'00') || substr({column}, 2) AS BLOB)");
        using HttpResponseMessage refused = await _server.GetAsync(device.Hex);
        await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, refused);
        await _server.StopWithOneWarningAsync();
    }

    [Fact]
    public async Task A_locked_database_is_503_with_Retry_After_logged_once_and_heals()
    {
        var device = new Device();
        await _server.PublishAsync(device, [1]);
        await using (var other = new SqliteConnection($"Data Source={_server.Db};Pooling=False"))
        {
            await other.OpenAsync();
            await using SqliteCommand command = other.CreateCommand();
            command.CommandText = "BEGIN IMMEDIATE";
            await command.ExecuteNonQueryAsync();
            HttpResponseMessage[] refused = await Task.WhenAll(
                _server.PublishAsync(device, [2]), _server.PublishAsync(new Device(), [3]));
            foreach (HttpResponseMessage response in refused)
            {
                string detail = await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, response);
                Assert.Equal("the registry is busy: try again", detail);
                Assert.NotNull(response.Headers.RetryAfter?.Delta);
            }

            await _server.AssertServesAsync(device, [1]);
        }

        using HttpResponseMessage healed = await _server.PublishAsync(device, [2]);
        Assert.Equal(HttpStatusCode.NoContent, healed.StatusCode);
        IReadOnlyList<LogLine> logged = await _server.StopAsync();
        Assert.Single(logged, line => line.Level >= LogLevel.Warning);
        Assert.Single(logged, line => line.Text.Contains("can be written again", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_full_disk_is_507_fetches_go_on_and_it_heals()
    {
        using var disk = new SmallDisk(kibibytes: 1024);
        await using RegistryServer server = await RegistryServer.StartAsync(way, ("Db", disk.File("registry.db")));
        var device = new Device();
        await server.PublishAsync(device, [1]);
        string filler = disk.FillUp();
        HttpResponseMessage refused = await PublishUntilRefusedAsync(server, device);
        string detail = await ProblemAssert.IsProblemAsync(HttpStatusCode.InsufficientStorage, refused);
        Assert.Equal("the registry is full: try again later", detail);
        Assert.NotNull(await server.FetchAsync(device));

        File.Delete(filler);
        using HttpResponseMessage healed = await server.PublishAsync(device, [2]);
        Assert.Equal(HttpStatusCode.NoContent, healed.StatusCode);
        await server.AssertServesAsync(device, [2]);
        await server.StopWithOneWarningAsync();
    }

    [Fact]
    public async Task At_the_ceiling_of_the_database_publishes_are_507_fetches_go_on_and_pruning_makes_room()
    {
        await using HostedRegistry server = await HostedRegistry.StartAsync(way, [("MaxDbBytes", "1048576")]);
        var first = new Device();
        await server.PublishAsync(first, [1]);
        int stored = 0;
        while (stored < 1_000)
        {
            using HttpResponseMessage response = await server.PublishAsync(new Device(), Device.RandomPayload(4_000));
            if (response.StatusCode != HttpStatusCode.NoContent)
            {
                await ProblemAssert.IsProblemAsync(HttpStatusCode.InsufficientStorage, response);
                break;
            }

            stored++;
        }

        Assert.InRange(stored, 100, 250);
        await server.AssertServesAsync(first, [1]);
        server.Time.AdjustTime(server.Time.GetUtcNow().AddDays(31));
        await server.PruneAsync();
        using HttpResponseMessage room = await server.PublishAsync(new Device(), Device.RandomPayload(4_000));
        Assert.Equal(HttpStatusCode.NoContent, room.StatusCode);
        // Remembering what was dropped may go a few pages over.
        Assert.InRange(server.Scalar("PRAGMA page_count") * server.Scalar("PRAGMA page_size"), 1, 1200 * 1024);
    }

    [Fact]
    public async Task With_verify_on_read_a_bundle_whose_signature_does_not_verify_is_never_served()
    {
        await using RegistryServer server = await RegistryServer.StartAsync(way, ("VerifyOnRead", "true"));
        var (device, other) = (new Device(), new Device());
        await server.PublishAsync(device, [1]);
        await server.AssertServesAsync(device, [1]);
        await server.PublishAsync(other, [1]);
        using var database = new Database(server.Db);
        // Whole rows, checksums and all, under each other's names would pass without it.
        var signature = new RegistryFunctions.Bundles.Signature(other.Sign([1]));
        long digest = RegistryFunctions.Storage.Digest.OfPayload([1]);
        long checksum = RegistryFunctions.Storage.Digest.OfRow(device.Id, signature, digest);
        database.Execute(
            $"UPDATE accepted SET signature = x'{Convert.ToHexString(signature.Span)}', checksum = {checksum} WHERE seq = 1");
        using HttpResponseMessage refused = await server.GetAsync(device.Hex);
        await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, refused);

        // The row is whole: without the setting it would be served.
        await using RegistryServer trusting = await RegistryServer.StartAsync(way, ("Db", server.Db));
        using HttpResponseMessage served = await trusting.GetAsync(device.Hex);
        Assert.Equal(HttpStatusCode.OK, served.StatusCode);
    }

    // Whole pages of the write-ahead log may still fit for a while.
    private static async Task<HttpResponseMessage> PublishUntilRefusedAsync(RegistryServer server, Device device)
    {
        for (int i = 0; i < 100; i++)
        {
            HttpResponseMessage response = await server.PublishAsync(device, Device.RandomPayload(8_000));
            if (response.StatusCode != HttpStatusCode.NoContent)
            {
                return response;
            }
        }

        throw new InvalidOperationException("The small disk never filled up.");
    }

    private sealed class CancellingStore : IBundleStore
    {
        public ValueTask<Bundle?> FindNewestAsync(DeviceId device, CancellationToken cancellationToken) =>
            throw new OperationCanceledException();

        public ValueTask<PublishOutcome> PublishAsync(VerifiedBundle bundle, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask<int> PruneAsync(DateTimeOffset cutoff, CancellationToken cancellationToken) => ValueTask.FromResult(0);

        public ValueTask<(long Count, bool IsMost)> CountReceivedBeforeAsync(
            DateTimeOffset cutoff, CancellationToken cancellationToken) => ValueTask.FromResult((0L, false));

        public ValueTask ProbeAsync() => ValueTask.CompletedTask;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    public sealed class StandAlone() : ErrorTests(Way.StandAlone);

    public sealed class ThroughTheWorker() : ErrorTests(Way.Worker);
}
