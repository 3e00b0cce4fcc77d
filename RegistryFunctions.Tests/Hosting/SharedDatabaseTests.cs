using System.Net;
using RegistryFunctions.Tests.Storage;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>Processes with their data in PostgreSQL.</summary>
public sealed class SharedDatabaseTests : IAsyncDisposable
{
    private const string Secret = "open-sesame";
    private const string Nobody = "postgres://me@127.0.0.1:1/keys";

    private readonly PostgresData _data = new();

    public ValueTask DisposeAsync() => _data.DisposeAsync();

    [Fact]
    public async Task Four_servers_on_one_database_keep_the_limit_and_all_serve_what_came_last()
    {
        RegistryProcess[] servers = [.. Enumerable.Range(0, 4).Select(_ => RegistryProcess.StartAlone(_data.ConnectionString, "--max-per-identity", "2"))];
        await Task.WhenAll(servers.Select(server => server.ReadyAsync()));
        Device[] devices = [.. Enumerable.Range(0, 4).Select(_ => new Device())];
        await Task.WhenAll(devices.SelectMany(device => servers.Select((server, i) => PublishAsync(server, device, (byte)(i * 50)))));
        foreach (Device device in devices)
        {
            byte[]?[] newest = await Task.WhenAll(servers.Select(server => server.FetchAsync(device)));
            Assert.All(newest, payload => Assert.Equal(newest[0], payload));
            // The last of one of them: nothing else can have come last.
            Assert.Contains(newest[0]![0], (byte[])[19, 69, 119, 169]);
            Assert.Equal((2, 78), await _data.CountAsync(device.Id));
            using HttpResponseMessage replay = await servers[0].PublishAsync(device, [0]);
            Assert.Equal(HttpStatusCode.Conflict, replay.StatusCode);
        }

        foreach (RegistryProcess server in servers)
        {
            server.Terminate();
            Assert.Equal(0, await server.ExitAsync());
            Assert.Empty(server.Errors);
            await server.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_server_that_does_not_migrate_starts_after_the_command_has()
    {
        RegistryCommand refused = await RegistryCommand.RunAsync(["--db", _data.ConnectionString, "--auto-migrate", "false", "--bind", "127.0.0.1:0"]);
        refused.AssertRefused("run RegistryFunctions migrate first");
        for (int i = 0; i < 2; i++)
        {
            RegistryCommand migrated = await RegistryCommand.RunAsync(["migrate", _data.ConnectionString]);
            Assert.Equal(0, migrated.ExitCode);
            Assert.EndsWith("the schema is that of this release, version 1", migrated.LastLine, StringComparison.Ordinal);
        }

        await using RegistryProcess server = RegistryProcess.StartAlone(_data.ConnectionString, "--auto-migrate", "false");
        await server.ReadyAsync();
        var device = new Device();
        using HttpResponseMessage published = await server.PublishAsync(device, [1]);
        Assert.Equal(HttpStatusCode.NoContent, published.StatusCode);
        Assert.Equal([1], (await server.FetchAsync(device))!);
    }

    [Theory]
    [InlineData($"postgres://me:{Secret}@127.0.0.1:1/keys", "--db: has a password in it")]
    [InlineData($"postgres:/me:{Secret}@127.0.0.1:1/keys", "--db: is not a PostgreSQL URL")]
    [InlineData($"postgres://127.0.0.1:1/keys?pass={Secret}", "--db: pass is no setting")]
    [InlineData(Nobody, "postgres://127.0.0.1:1/keys: ")]
    public async Task A_database_that_can_t_be_used_is_refused_and_its_password_not_shown(string db, string reason)
    {
        RegistryCommand refused = await RegistryCommand.RunAsync(["--db", db, "--bind", "127.0.0.1:0"]);
        refused.AssertRefused(reason);
        Assert.DoesNotContain(Secret, refused.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("for PostgreSQL use pg_dump", "backup", "copy.db", "--db", Nobody)]
    [InlineData("--db-read: means nothing with SQLite", "--db", "registry.db", "--db-read", Nobody)]
    [InlineData("must be the URL of a PostgreSQL database", "migrate", "registry.db")]
    [InlineData("--max-db-bytes: means nothing with PostgreSQL", "--db", Nobody, "--max-db-bytes", "1048576")]
    public async Task What_is_only_for_the_other_kind_of_database_is_refused(string reason, params string[] arguments) =>
        (await RegistryCommand.RunAsync(arguments)).AssertRefused(reason);

    [Fact]
    public async Task A_database_is_checked_while_it_is_served()
    {
        var (sound, damaged) = (new Device(), new Device());
        await using RegistryProcess server = RegistryProcess.StartAlone(_data.ConnectionString);
        await server.ReadyAsync();
        await PublishAsync(server, sound, 0);
        await PublishAsync(server, damaged, 0);
        RegistryCommand check = await RegistryCommand.RunAsync(["check", _data.ConnectionString]);
        Assert.Equal((0, "10 bundles of 2 devices: all sound", ""), (check.ExitCode, check.Output, check.Errors));

        _data.Execute($"UPDATE bundle SET payload = '\\x00' WHERE device = '\\x{damaged.Hex}' AND seq = 20");
        _data.Execute($"UPDATE bundle SET device = '\\x{new Device().Hex}' WHERE device = '\\x{sound.Hex}' AND seq = 16");
        check = await RegistryCommand.RunAsync(["check", _data.ConnectionString]);
        Assert.Equal(1, check.ExitCode);
        Assert.Equal(
            $"""
            structure: 1 bundles are of devices that table device does not have
            row 20 of device {damaged.Hex}: is damaged: its checksum does not match
            9 bundles of 2 devices: 1 damaged; the structure of the database is damaged
            """,
            check.Output);
        (await RegistryCommand.RunAsync(["check", Nobody])).AssertRefused("postgres://127.0.0.1:1/keys: ");
    }

    [Fact]
    public async Task The_help_does_not_show_the_password()
    {
        RegistryCommand help = await RegistryCommand.RunAsync(["--help"], null, ("Registry__DbPassword", Secret));
        Assert.DoesNotContain(Secret, help.Output + help.Errors, StringComparison.Ordinal);
    }

    private static async Task PublishAsync(RegistryProcess server, Device device, byte from)
    {
        for (byte i = 0; i < 20; i++)
        {
            using HttpResponseMessage response = await server.PublishAsync(device, [(byte)(from + i)]);
            Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        }
    }
}
