using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Sqlite;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>The worker of a Functions host, in a process of its own: its timer, settings, log, stop and the host's death.</summary>
public sealed class WorkerTests : IDisposable
{
    private readonly TestFolder _folder = new();

    private string Db => _folder.File("registry.db");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Every_function_answers()
    {
        await using WorkerProcess worker = await StartAsync();
        var device = new Device();
        foreach (FunctionMetadata function in worker.Host.Functions.Where(f => f.IsHttp).OrderBy(f => f.Name, StringComparer.Ordinal))
        {
            foreach (string method in function.Methods)
            {
                string path = function.Route!
                    .Replace("{device_id}", device.Hex, StringComparison.Ordinal)
                    .Replace("{probe}", "ready", StringComparison.Ordinal);
                using HttpResponseMessage response = await worker.Process.SendAsync(
                    new HttpMethod(method.ToUpperInvariant()), path, method == "post" ? device.Publication([1]) : null);
                Assert.True(response.IsSuccessStatusCode, $"{method} {path}: {response.StatusCode}");
                Assert.False(response.Headers.Contains("Server"));
            }
        }

        InvocationOutcome pruned = await worker.Host.FireTimerAsync("Prune");
        Assert.True(pruned.Succeeded, pruned.Exception);
    }

    [Fact]
    public async Task The_timer_drops_what_is_older_than_the_retention_and_nothing_else_prunes()
    {
        var (old, fresh) = (new Device(), new Device());
        await StoreAsync(old, DateTimeOffset.UtcNow.AddDays(-31));
        await StoreAsync(fresh, DateTimeOffset.UtcNow.AddDays(-29));
        await using WorkerProcess worker = await StartAsync();
        Assert.NotNull(await worker.Process.FetchAsync(old));
        await worker.Host.FireTimerAsync("Prune", isPastDue: true);
        Assert.Null(await worker.Process.FetchAsync(old));
        Assert.NotNull(await worker.Process.FetchAsync(fresh));
        await worker.StopAsync();
        Assert.Single(worker.Process.Output.Split('\n'), line => line.StartsWith(
            "info: RegistryFunctions.Functions.Prune[10] Pruned 1 bundles", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_timer_that_comes_while_the_database_is_locked_is_skipped()
    {
        await using WorkerProcess worker = await StartAsync();
        using (var other = new Database(Db))
        {
            other.Execute("BEGIN IMMEDIATE");
            Assert.True((await worker.Host.FireTimerAsync("Prune")).Succeeded);
        }

        Assert.True((await worker.Host.FireTimerAsync("Prune")).Succeeded);
        await worker.StopAsync();
        Assert.Contains("warn: RegistryFunctions.Functions.Prune[11] Prune skipped", worker.Process.Errors, StringComparison.Ordinal);
        Assert.Contains("Pruned 0 bundles", worker.Process.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_fault_outside_of_a_request_is_on_standard_error_where_the_host_looks_for_it()
    {
        await using WorkerProcess worker = await StartAsync();
        File.Delete(Db);
        using HttpResponseMessage refused = await worker.Process.PublishAsync(new Device(), [1]);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        await worker.StopAsync();
        Assert.StartsWith("fail: ", Assert.Single(worker.Process.Errors.Split('\n')), StringComparison.Ordinal);
        Assert.Contains("Bundles can't be written", worker.Process.Errors, StringComparison.Ordinal);
        // Once: not through the host as well.
        Assert.DoesNotContain(worker.Host.Logs, line => line.Category.StartsWith("RegistryFunctions", StringComparison.Ordinal));
    }

    [Fact]
    public async Task It_listens_on_loopback_only()
    {
        await using WorkerProcess worker = await StartAsync(("Registry__Bind", "0.0.0.0:0"));
        // It listens for requests once it has answered one.
        Assert.Null(await worker.Process.FetchAsync(new Device()));
        IReadOnlyList<IPEndPoint> listeners = Listeners.Of(worker.Process.Id);
        Assert.NotEmpty(listeners);
        Assert.All(listeners, listener => Assert.True(IPAddress.IsLoopback(listener.Address), $"{listener}"));
    }

    [Fact]
    public async Task Settings_are_in_force()
    {
        await using WorkerProcess worker = await StartAsync(("Registry__MaxPerIdentity", "2"), ("Registry__RetentionDays", "7"));
        await worker.Process.PrintedAsync($"database {Db}, keeping 2 bundles per device for 7 days");
    }

    [Fact]
    public async Task The_log_level_follows_the_framework_s_setting()
    {
        await using WorkerProcess worker = await StartAsync(("Logging__LogLevel__Default", "Warning"));
        await worker.Host.FireTimerAsync("Prune");
        await worker.StopAsync();
        Assert.Empty(worker.Process.Output);
    }

    [Theory]
    [InlineData("Registry__RetentionDays", "soon", "Registry__RetentionDays: must be a whole number from 1 to 36500, not \"soon\"")]
    [InlineData("Registry__RetentionDays", "0", "Registry__RetentionDays: must be a whole number from 1 to 36500, not \"0\"")]
    [InlineData("Registry__RetentionDay", "7", "Registry__RetentionDay: is not a setting; the settings are Registry__Bind, ")]
    [InlineData("Registry__Db", "/", "/: is a folder")]
    [InlineData("Registry__Db", "registry.db", "Registry__Db: ")]
    [InlineData("Registry__Db", "data/registry.db", "Registry__Db: ")]
    [InlineData("Logging__LogLevel__Default", "Loud", "Logging__LogLevel__Default: must be one of Trace")]
    [InlineData("PruneSchedule", "hourly", "PruneSchedule: must be an NCRONTAB expression such as \"0 0 * * * *\", which is hourly, not \"hourly\"")]
    [InlineData("PruneSchedule", "0 0 * * * * *", "PruneSchedule: must be an NCRONTAB expression")]
    [InlineData("PruneSchedule", "0 61 * * * *", "PruneSchedule: must be an NCRONTAB expression")]
    [InlineData("PruneSchedule", null, "PruneSchedule: is missing; it must be an NCRONTAB expression")]
    public async Task A_setting_that_makes_no_sense_ends_the_start_with_2_and_one_line(string name, string? value, string reason)
    {
        await using WorkerProcess worker = await WorkerProcess.StartAsync(("Registry__Db", Db), (name, value));
        Assert.Equal(2, await worker.Process.ExitAsync());
        Assert.StartsWith(
            $"RegistryFunctions: {reason}", Assert.Single(worker.Process.Errors.Split('\n')), StringComparison.Ordinal);
        Assert.Empty(worker.Process.Output);
    }

    [Fact]
    public async Task An_unreachable_host_is_refused_with_one_line_and_exit_code_2()
    {
        string worker = Path.Combine(FunctionsHost.App, "RegistryFunctions.dll");
        await using RegistryProcess process = RegistryProcess.Start(
            "dotnet",
            1,
            [worker, "--functions-uri", "http://127.0.0.1:1", "--functions-worker-id", "w", "--functions-grpc-max-message-length", "1000"],
            environment: new Dictionary<string, string>
            {
                ["FUNCTIONS_APPLICATION_DIRECTORY"] = FunctionsHost.App,
                ["PruneSchedule"] = "0 0 * * * *",
                ["Registry__Db"] = Db,
            });
        Assert.Equal(2, await process.ExitAsync());
        Assert.StartsWith(
            "RegistryFunctions: can't reach the Functions host: ", Assert.Single(process.Errors.Split('\n')), StringComparison.Ordinal);
        Assert.Equal([Db], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public async Task More_of_the_framework_s_log_can_be_asked_for()
    {
        await using WorkerProcess worker = await StartAsync(("Logging__LogLevel__Microsoft.AspNetCore.Routing", "Debug"));
        await worker.Process.FetchAsync(new Device());
        await worker.Process.PrintedAsync("dbug: Microsoft.AspNetCore.Routing");
    }

    [Theory]
    [InlineData("0 0 * * * *")]
    [InlineData("*/5 * * * *")]
    [InlineData("0 30 2 * * mon-fri")]
    public async Task Schedules_of_five_and_six_fields_are_taken(string schedule)
    {
        await using WorkerProcess worker = await StartAsync(("PruneSchedule", schedule));
        Assert.Equal("%PruneSchedule%", worker.Host.Functions.Single(f => f.Name == "Prune").Schedule);
    }

    [Fact]
    public async Task Stop_start_and_the_bundle_is_still_there()
    {
        var device = new Device();
        await using (WorkerProcess worker = await StartAsync())
        {
            using HttpResponseMessage published = await worker.Process.PublishAsync(device, [1]);
            Assert.Equal(HttpStatusCode.NoContent, published.StatusCode);
            await worker.StopAsync();
        }

        // The store was closed: its log is copied and gone.
        Assert.Equal([Db], Directory.GetFiles(_folder.Path));
        await using WorkerProcess again = await StartAsync();
        Assert.Equal([1], (await again.Process.FetchAsync(device))!);
    }

    [Fact]
    public async Task With_the_sample_settings_bundles_survive_a_rebuild_of_the_app_folder()
    {
        var device = new Device();
        string app = _folder.File(Path.Combine("bin", "output"));
        for (int start = 0; start < 2; start++)
        {
            CopyFolder(FunctionsHost.App, app);
            await using WorkerProcess worker = await WorkerProcess.StartAtAsync(app);
            await worker.ReadyAsync();
            if (start == 0)
            {
                using HttpResponseMessage published = await worker.Process.PublishAsync(device, [1]);
                Assert.Equal(HttpStatusCode.NoContent, published.StatusCode);
            }

            Assert.Equal([1], (await worker.Process.FetchAsync(device))!);
            await worker.StopAsync();
            // As "func start" does before each build.
            Directory.Delete(app, recursive: true);
        }

        Assert.True(File.Exists(_folder.File("keypackage-registry.db")));
    }

    [Fact]
    public async Task It_takes_less_time_to_shut_down_than_the_host_gives_it()
    {
        await using HostedRegistry worker = await HostedRegistry.StartAsync(Way.Worker);
        HostOptions options = worker.Services.GetRequiredService<IOptions<HostOptions>>().Value;
        Assert.InRange(options.ShutdownTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(4));
    }

    [Fact]
    public async Task SIGTERM_shuts_it_down_like_the_host_s_message()
    {
        await using WorkerProcess worker = await StartAsync();
        worker.Process.Terminate();
        int code = await worker.Process.ExitAsync();
        Assert.Empty(worker.Process.Errors);
        Assert.Equal(0, code);
        Assert.Equal([Db], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public async Task When_its_host_dies_it_shuts_down_cleanly_and_leaves_the_database_free()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "on Windows the host's job object ends the worker");
        await using WorkerProcess worker = await WorkerProcess.StartWithParentAsync(("Registry__Db", Db));
        await worker.ReadyAsync();
        Assert.True(File.Exists($"{Db}-wal"));
        await worker.DieAsync();
        // Also waits for the worker, which holds the host's output open.
        await worker.Process.ExitAsync();
        Assert.Contains("The Functions host that started this process has ended", worker.Process.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("fail: ", worker.Process.Errors, StringComparison.Ordinal);
        Assert.Equal([Db], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public async Task A_worker_that_starts_beside_one_that_lingers_serves_what_came_last_to_either()
    {
        await using WorkerProcess lingering = await StartAsync();
        await using WorkerProcess worker = await StartAsync();
        var device = new Device();
        for (byte i = 0; i < 20; i++)
        {
            WorkerProcess to = i % 2 == 0 ? lingering : worker;
            using HttpResponseMessage published = await to.Process.PublishAsync(device, [i]);
            Assert.Equal(HttpStatusCode.NoContent, published.StatusCode);
            Assert.Equal([i], (await worker.Process.FetchAsync(device))!);
            Assert.Equal([i], (await lingering.Process.FetchAsync(device))!);
        }

        using HttpResponseMessage replay = await worker.Process.PublishAsync(device, [3]);
        Assert.Equal(HttpStatusCode.Conflict, replay.StatusCode);
        using var database = new Database(Db);
        Assert.Equal(5, database.Scalar<long>("SELECT count(*) FROM bundle"));
    }

    [Fact]
    public async Task When_it_is_killed_under_load_the_next_worker_serves_all_that_was_acknowledged()
    {
        var clients = new PublishingClients(8);
        await using WorkerProcess worker = await StartAsync();
        Task load = await clients.PublishAsync(worker.Process, atLeast: 100);
        worker.Process.Kill();
        await worker.Host.AbortAsync();
        await load;
        await using WorkerProcess next = await StartAsync();
        await clients.AssertServedAsync(next.Process);
    }

    [Fact]
    public async Task The_README_smoke_test_passes()
    {
        await using WorkerProcess worker = await StartAsync();
        await ReadmeTests.RunSmokeTestAsync(worker.Process.Url);
    }

    private async Task<WorkerProcess> StartAsync(params (string Name, string Value)[] settings)
    {
        WorkerProcess worker = await WorkerProcess.StartAsync([("Registry__Db", Db), .. settings]);
        try
        {
            await worker.ReadyAsync();
            return worker;
        }
        catch
        {
            await worker.DisposeAsync();
            throw;
        }
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    private async Task StoreAsync(Device device, DateTimeOffset received)
    {
        await using SqliteBundleStore store = SqliteBundleStore.Open(
            new SqliteStoreOptions(Db, new StoreOptions(Keep: 5, ReplayWindow: TimeSpan.Zero)),
            new FakeTimeProvider(received),
            NullLogger.Instance);
        await store.PublishAsync(device.Bundle([1]), CancellationToken.None);
    }
}
