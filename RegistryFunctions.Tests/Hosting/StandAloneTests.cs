using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>The executable stand-alone: flags, settings, signals, exit codes.</summary>
public sealed class StandAloneTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task It_creates_the_database_with_its_folders_and_says_so_in_one_line()
    {
        string db = _folder.File("new/folder/registry.db");
        await using RegistryProcess server = RegistryProcess.StartAlone(db);
        await server.ReadyAsync();
        Assert.True(File.Exists(db));
        var device = new Device();
        using HttpResponseMessage published = await server.PublishAsync(device, [1]);
        Assert.Equal(HttpStatusCode.NoContent, published.StatusCode);
        Assert.Equal([1], (await server.FetchAsync(device))!);
        using HttpResponseMessage atLimit = await server.SendAsync(HttpMethod.Post, "v0/keypackage", new string(' ', 64 * 1024));
        Assert.Equal(HttpStatusCode.BadRequest, atLimit.StatusCode);
        using HttpResponseMessage over = await server.SendAsync(HttpMethod.Post, "v0/keypackage", new string(' ', (64 * 1024) + 1));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, over.StatusCode);
        server.Terminate();
        Assert.Equal(0, await server.ExitAsync());
        Assert.Contains(
            $"Serving on {server.Url.ToString().TrimEnd('/')}, database {db}, keeping 5 bundles per device for 30 days",
            server.Output,
            StringComparison.Ordinal);
        Assert.Empty(server.Errors);
    }

    [Fact]
    public async Task SIGTERM_lets_a_request_in_flight_finish_and_closes_the_store()
    {
        string db = _folder.File("registry.db");
        await using RegistryProcess server = RegistryProcess.StartAlone(db);
        await server.ReadyAsync();
        var device = new Device();
        byte[] body = Encoding.UTF8.GetBytes(device.Publication([7]));
        using var client = new TcpClient();
        await client.ConnectAsync(server.Url.Host, server.Url.Port);
        NetworkStream stream = client.GetStream();
        // "100 Continue" tells that the function is reading the body: the request is in flight.
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /v0/keypackage HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {body.Length}\r\n\r\n"));
        using var reader = new StreamReader(stream, Encoding.ASCII);
        Assert.Equal("HTTP/1.1 100 Continue", await reader.ReadLineAsync());
        Assert.Equal("", await reader.ReadLineAsync());
        server.Terminate();
        await RefusesConnectionsAsync(server.Url);

        await stream.WriteAsync(body);
        Assert.Equal("HTTP/1.1 204 No Content", await reader.ReadLineAsync());
        Assert.Equal(0, await server.ExitAsync());
        Assert.Equal([db], Directory.GetFiles(_folder.Path));

        await using RegistryProcess again = RegistryProcess.StartAlone(db);
        await again.ReadyAsync();
        Assert.Equal([7], (await again.FetchAsync(device))!);
    }

    [Fact]
    public async Task A_flag_wins_over_a_setting()
    {
        int port = RegistryProcess.FreePort();
        await using RegistryProcess server = RegistryProcess.Start(
            RegistryProcess.Executable,
            port,
            ["--bind", $"127.0.0.1:{port}", "--retention-days", "9"],
            environment: new Dictionary<string, string>
            {
                ["Registry__Bind"] = "nonsense",
                ["Registry__Db"] = _folder.File("by-setting.db"),
                ["Registry__RetentionDays"] = "8",
                ["Registry__MaxPerIdentity"] = "3",
                ["Registry__PruneIntervalSecs"] = "60",
            });
        await server.ReadyAsync();
        server.Terminate();
        await server.ExitAsync();
        Assert.Contains("by-setting.db, keeping 3 bundles per device for 9 days", server.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--bind", "8080x")]
    [InlineData("--bind", "127.0.0.1")]
    [InlineData("--bind", "localhost:8080")]
    [InlineData("--bind", "127.0.0.1:99999")]
    [InlineData("--bind", "::1")]
    [InlineData("--bind", "::1:0")]
    [InlineData("--db", "")]
    [InlineData("--max-per-identity", "0")]
    [InlineData("--max-per-identity", "-1")]
    [InlineData("--max-per-identity", "1.5")]
    [InlineData("--retention-days", "0")]
    [InlineData("--retention-days", "99999999999")]
    [InlineData("--prune-interval-secs", "0")]
    [InlineData("--prune-interval-secs", "ten")]
    [InlineData("--max-body-bytes", "12")]
    [InlineData("--max-connections", "0")]
    [InlineData("--max-db-bytes", "1000")]
    [InlineData("--replay-window-days", "-1")]
    [InlineData("--allow-network-fs", "1")]
    [InlineData("--verify-on-read", "maybe")]
    [InlineData("--max-requests-per-minute", "-1")]
    [InlineData("--max-publishes-per-hour", "few")]
    [InlineData("--trusted-proxies", "")]
    [InlineData("--trusted-proxies", "proxy.example")]
    [InlineData("--trusted-proxies", "127.0.0.1,,10.0.0.0/8")]
    [InlineData("--trusted-proxies", "10.0.0.0/33")]
    public async Task A_value_that_makes_no_sense_is_refused_with_one_line_and_exit_code_2(string flag, string value)
    {
        await AssertRefusedAsync([flag, value], flag);
        await AssertRefusedAsync([], Variable(flag), (Variable(flag), value));
    }

    [Theory]
    [InlineData("--no-such-flag")]
    [InlineData("--db")]
    [InlineData("stray")]
    public async Task A_command_line_that_makes_no_sense_is_refused_with_one_line_and_exit_code_2(string argument) =>
        await AssertRefusedAsync([argument], argument);

    [Fact]
    public async Task An_unknown_variable_is_refused() =>
        await AssertRefusedAsync([], "Registry__RetentionDay:", ("Registry__RetentionDay", "7"));

    [Fact]
    public async Task An_address_in_use_is_refused()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        await AssertRefusedAsync(["--bind", taken.LocalEndpoint.ToString()!, "--db", _folder.File("x.db")], "ddress already in use");
    }

    [Fact]
    public async Task An_address_of_another_machine_is_refused() =>
        await AssertRefusedAsync(["--bind", "203.0.113.1:8080", "--db", _folder.File("x.db")], "can't listen on 203.0.113.1:8080:");

    [Fact]
    public async Task An_unknown_log_level_is_refused() => await AssertRefusedAsync(
        ["--db", _folder.File("x.db")], "Logging__LogLevel__Default: must be one of Trace", ("Logging__LogLevel__Default", "Loud"));

    [Fact]
    public async Task A_value_that_begins_with_an_at_sign_is_not_a_file_to_read()
    {
        string file = _folder.File("days");
        await File.WriteAllTextAsync(file, "7");
        await AssertRefusedAsync(["--retention-days", $"@{file}"], $"not \"@{file}\"");
    }

    [Fact]
    public async Task A_database_that_is_a_folder_is_refused() =>
        await AssertRefusedAsync(["--db", _folder.Path], $"{_folder.Path}: is a folder");

    [Fact]
    public async Task The_log_level_follows_the_framework_s_setting()
    {
        int port = RegistryProcess.FreePort();
        await using RegistryProcess server = RegistryProcess.Start(
            RegistryProcess.Executable,
            port,
            ["--bind", $"127.0.0.1:{port}", "--db", _folder.File("quiet.db")],
            environment: new Dictionary<string, string> { ["Logging__LogLevel__Default"] = "Warning" });
        await server.ReadyAsync(isQuiet: true);
        server.Terminate();
        Assert.Equal(0, await server.ExitAsync());
        Assert.Empty(server.Output);
    }

    [Theory]
    [InlineData("--help", "--retention-days <n>")]
    [InlineData("--version", "1.")]
    public async Task Help_and_version_are_printed_with_exit_code_0(string flag, string expected)
    {
        await using RegistryProcess process = RegistryProcess.Start(RegistryProcess.Executable, 1, [flag]);
        Assert.Equal(0, await process.ExitAsync());
        Assert.Contains(expected, process.Output, StringComparison.Ordinal);
        Assert.Empty(process.Errors);
    }

    private static async Task AssertRefusedAsync(
        string[] arguments, string expected, params (string Name, string Value)[] settings)
    {
        await using RegistryProcess process = RegistryProcess.Start(
            RegistryProcess.Executable, 1, arguments, environment: settings.ToDictionary(s => s.Name, s => s.Value));
        Assert.Equal(2, await process.ExitAsync());
        Assert.Contains(expected, process.Errors, StringComparison.Ordinal);
        Assert.Single(process.Errors.Split('\n'));
        Assert.Empty(process.Output);
    }

    private static string Variable(string flag) => "Registry__" + string.Concat(
        flag.TrimStart('-').Split('-').Select(word => char.ToUpper(word[0], CultureInfo.InvariantCulture) + word[1..]));

    private static async Task RefusesConnectionsAsync(Uri url)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(url.Host, url.Port, deadline.Token);
            }
            catch (SocketException)
            {
                return;
            }
        }
    }
}
