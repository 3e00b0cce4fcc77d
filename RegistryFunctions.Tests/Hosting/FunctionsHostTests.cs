using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using RegistryFunctions.Storage.Sqlite;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>The app as the custom handler of the Azure Functions host, which these tests play.</summary>
public sealed class FunctionsHostTests : IDisposable
{
    private const string TimerCall =
        """{"Data":{"timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}},"Metadata":{"sys":{"MethodName":"Prune","UtcNow":"2026-01-01T00:00:00Z","RandGuid":"d1a3"}}}""";

    private readonly ScriptRoot _root = new();

    private string Db => Path.Combine(_root.Path, ScriptRoot.SampleSettings["Registry__Db"]);

    public void Dispose() => _root.Dispose();

    [Fact]
    public void The_functions_have_the_routes_and_methods_of_the_contract()
    {
        Assert.Equal(["Health", "Prune", "Register", "Retrieve"], ScriptRoot.Triggers.Select(trigger => trigger.Function));
        (FunctionBinding health, FunctionBinding prune, FunctionBinding register, FunctionBinding retrieve) =
            (ScriptRoot.Triggers[0], ScriptRoot.Triggers[1], ScriptRoot.Triggers[2], ScriptRoot.Triggers[3]);
        Assert.Equal(("httpTrigger", "health/{probe}", "anonymous"), (health.Type, health.Route, health.AuthLevel));
        Assert.Equal(["get", "head"], health.Methods);
        Assert.Equal(("httpTrigger", "v0/keypackage", "anonymous"), (register.Type, register.Route, register.AuthLevel));
        Assert.Equal(["post"], register.Methods);
        Assert.Equal(("httpTrigger", "v0/keypackage/{device_id}", "anonymous"), (retrieve.Type, retrieve.Route, retrieve.AuthLevel));
        Assert.Equal(["get", "head"], retrieve.Methods);
        Assert.Equal("timerTrigger", prune.Type);
        Assert.Equal("", _root.RoutePrefix);
        Assert.True(_root.Forwards);
        Assert.Equal("2.0", _root.Version);
    }

    [Theory]
    [InlineData("Register")]
    [InlineData("Retrieve")]
    public void A_function_that_answers_HTTP_has_an_HTTP_output(string function)
    {
        FunctionBinding trigger = ScriptRoot.Triggers.Single(trigger => trigger.Function == function);
        Assert.Single(
            trigger.Bindings.EnumerateArray(),
            binding => binding.GetProperty("type").GetString() == "http" && binding.GetProperty("direction").GetString() == "out");
    }

    [Fact]
    public void A_deployment_keeps_what_the_host_needs_and_leaves_the_rest_behind()
    {
        string[] leftBehind = File.ReadAllLines(Repository.File(".funcignore"));
        string[] needed = ["host.json", "bin", "bin/RegistryFunctions", "Register", "Retrieve", "Prune", "function.json"];
        Assert.DoesNotContain(leftBehind, line => needed.Contains(line.Trim('/')));
        foreach (string project in (string[])["/RegistryFunctions/", "/RegistryFunctions.*/", "local.settings*.json", "*.db"])
        {
            Assert.Contains(project, leftBehind);
        }
    }

    [Fact]
    public void The_schedule_is_a_setting_that_the_sample_gives_an_hourly_value()
    {
        string schedule = ScriptRoot.Triggers.Single(trigger => trigger.Schedule is not null).Schedule!;
        Assert.StartsWith("%", schedule, StringComparison.Ordinal);
        Assert.Equal("0 0 * * * *", ScriptRoot.SampleSettings[schedule.Trim('%')]);
    }

    [Fact]
    public void The_sample_has_the_host_run_a_custom_handler() =>
        Assert.Equal("custom", ScriptRoot.SampleSettings["FUNCTIONS_WORKER_RUNTIME"]);

    [Fact]
    public async Task Every_trigger_is_answered()
    {
        await using RegistryProcess handler = _root.StartHandler();
        await handler.ReadyAsync();
        var device = new Device();
        foreach (FunctionBinding trigger in ScriptRoot.Triggers.Where(t => t.Type == "httpTrigger").OrderBy(t => t.Function))
        {
            foreach (string method in trigger.Methods)
            {
                string path = trigger.Route!
                    .Replace("{device_id}", device.Hex, StringComparison.Ordinal)
                    .Replace("{probe}", "ready", StringComparison.Ordinal);
                using HttpResponseMessage response = await handler.SendAsync(
                    new HttpMethod(method.ToUpperInvariant()), path, method == "post" ? device.Publication([1]) : null);
                Assert.True(response.IsSuccessStatusCode, $"{method} {path}: {response.StatusCode}");
                Assert.False(response.Headers.Contains("Connection"));
                Assert.False(response.Headers.Contains("Keep-Alive"));
            }
        }

        foreach (FunctionBinding trigger in ScriptRoot.Triggers.Where(t => t.Type == "timerTrigger"))
        {
            await AssertTimerAnswerAsync(handler, trigger.Function);
        }

        Assert.True(File.Exists(Db));
        handler.Terminate();
        await handler.ExitAsync();
        Assert.Empty(handler.Errors);
        // The host's timer is the only one.
        Assert.Single(handler.Output.Split('\n'), line => line.Contains("Pruned", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_timer_drops_what_is_older_than_the_retention()
    {
        var (old, fresh) = (new Device(), new Device());
        await StoreAsync(old, DateTimeOffset.UtcNow.AddDays(-31));
        await StoreAsync(fresh, DateTimeOffset.UtcNow.AddDays(-29));
        await using RegistryProcess handler = _root.StartHandler();
        await handler.ReadyAsync();
        await AssertTimerAnswerAsync(handler, "Prune", "Pruned 1 bundles");
        Assert.Null(await handler.FetchAsync(old));
        Assert.NotNull(await handler.FetchAsync(fresh));
    }

    [Fact]
    public async Task An_error_is_logged_on_standard_error_which_the_host_takes_for_one()
    {
        await using RegistryProcess handler = _root.StartHandler();
        await handler.ReadyAsync();
        File.Delete(Db);
        using HttpResponseMessage refused = await handler.PublishAsync(new Device(), [1]);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        handler.Terminate();
        await handler.ExitAsync();
        Assert.Contains("Bundles can't be written", handler.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("Bundles can't be written", handler.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_handler_listens_on_loopback_only_and_on_the_given_port_only()
    {
        await using RegistryProcess handler = _root.StartHandler(("Registry__Bind", "0.0.0.0:0"));
        await handler.ReadyAsync();
        await handler.PrintedAsync($"Serving on http://127.0.0.1:{handler.Url.Port},");
        Assert.Equal([$"127.0.0.1:{handler.Url.Port}"], Listeners.Of(handler.Id));
    }

    [Fact]
    public async Task A_timer_that_comes_while_the_database_is_locked_is_answered_in_the_form_the_host_needs()
    {
        await using RegistryProcess handler = _root.StartHandler();
        await handler.ReadyAsync();
        using (var other = new Database(Db))
        {
            other.Execute("BEGIN IMMEDIATE");
            await AssertTimerAnswerAsync(handler, "Prune", "Pruning is put off to the next time: Busy");
        }

        await AssertTimerAnswerAsync(handler, "Prune");
    }

    [Fact]
    public async Task Behind_the_host_clients_are_limited_by_X_Forwarded_For_and_the_timer_is_not()
    {
        await using RegistryProcess handler = _root.StartHandler(
            ("Registry__MaxRequestsPerMinute", "1"), ("Registry__TrustedProxies", "127.0.0.1"));
        await handler.ReadyAsync();
        string path = $"v0/keypackage/{new Device().Hex}";
        foreach ((string client, HttpStatusCode expected) in ((string, HttpStatusCode)[])
            [
                ("198.51.100.1:50001", HttpStatusCode.NotFound),
                ("198.51.100.1:50002", HttpStatusCode.TooManyRequests),
                ("198.51.100.2:50001", HttpStatusCode.NotFound),
            ])
        {
            using HttpResponseMessage response = await handler.SendAsync(
                HttpMethod.Get, path, with: request => request.Headers.Add("X-Forwarded-For", client));
            Assert.Equal(expected, response.StatusCode);
        }

        await AssertTimerAnswerAsync(handler, "Prune");
        await AssertTimerAnswerAsync(handler, "Prune");
    }

    [Fact]
    public async Task Settings_of_the_host_are_in_force()
    {
        await using RegistryProcess handler = _root.StartHandler(("Registry__MaxPerIdentity", "2"), ("Registry__RetentionDays", "7"));
        await handler.ReadyAsync();
        await handler.PrintedAsync("keeping 2 bundles per device for 7 days");
    }

    [Fact]
    public async Task The_host_s_stop_does_not_end_in_exit_code_0()
    {
        await using RegistryProcess handler = _root.StartHandler();
        await handler.ReadyAsync();
        handler.Terminate();
        Assert.NotEqual(0, await handler.ExitAsync());
    }

    [Fact]
    public async Task The_handler_of_a_host_that_dies_stops_in_good_order_and_leaves_port_and_database_free()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "on Windows the host's job object ends the handler");
        string db = Path.Combine(_root.Path, ScriptRoot.SampleSettings["Registry__Db"]);
        await using RegistryProcess host = _root.StartHost();
        await host.ReadyAsync();
        Assert.True(File.Exists($"{db}-wal"));
        await host.PrintedAsync("handler: ");
        using var handler = Process.GetProcessById(int.Parse(
            Regex.Match(host.Output, "^handler: (.*)$", RegexOptions.Multiline).Groups[1].Value, CultureInfo.InvariantCulture));
        host.Kill();
        try
        {
            // Also waits for the handler, which holds the host's output open.
            await host.ExitAsync();
        }
        finally
        {
            handler.Kill();
        }

        Assert.Contains("The Functions host that started this process has ended", host.Output, StringComparison.Ordinal);
        Assert.Empty(host.Errors);
        Assert.False(File.Exists($"{db}-wal"));
        using var free = new TcpListener(IPAddress.Loopback, host.Url.Port);
        free.Start();
    }

    [Theory]
    [InlineData("Registry__RetentionDays", "soon", "Registry__RetentionDays: ")]
    [InlineData("Registry__Db", "/", "/: ")]
    [InlineData("FUNCTIONS_CUSTOMHANDLER_PORT", "x", "FUNCTIONS_CUSTOMHANDLER_PORT: ")]
    public async Task A_setting_that_makes_no_sense_ends_the_handler_with_2_and_one_line(string name, string value, string reason)
    {
        await using RegistryProcess handler = _root.StartHandler((name, value));
        Assert.Equal(2, await handler.ExitAsync());
        Assert.StartsWith($"RegistryFunctions: {reason}", Assert.Single(handler.Errors.Split('\n')), StringComparison.Ordinal);
    }

    private async Task StoreAsync(Device device, DateTimeOffset received)
    {
        await using SqliteBundleStore store = SqliteBundleStore.Open(
            new SqliteStoreOptions(Db, Keep: 5, ReplayWindow: TimeSpan.Zero), new FakeTimeProvider(received), NullLogger.Instance);
        await store.PublishAsync(device.Bundle([1]), CancellationToken.None);
    }

    private static async Task AssertTimerAnswerAsync(
        RegistryProcess handler, string function, string expected = "Pruned 0 bundles")
    {
        using HttpResponseMessage response = await handler.SendAsync(HttpMethod.Post, function, TimerCall);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        using JsonDocument json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal(JsonValueKind.Object, json.RootElement.GetProperty("Outputs").ValueKind);
        Assert.Equal(JsonValueKind.Null, json.RootElement.GetProperty("ReturnValue").ValueKind);
        string line = Assert.Single(json.RootElement.GetProperty("Logs").EnumerateArray()).GetString()!;
        Assert.StartsWith(expected, line, StringComparison.Ordinal);
    }
}
