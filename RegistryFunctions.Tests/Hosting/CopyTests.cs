using System.Globalization;
using System.Net;
using RegistryFunctions.Tests.Storage;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>The copy command of the executable, from each kind of database to the other.</summary>
public abstract class CopyTests : IAsyncDisposable
{
    private readonly IStoreData _source;
    private readonly IStoreData _target;

    private protected CopyTests(IStoreData source, IStoreData target) => (_source, _target) = (source, target);

    public async ValueTask DisposeAsync()
    {
        await _source.DisposeAsync();
        await _target.DisposeAsync();
    }

    [Fact]
    public async Task A_copy_of_what_is_served_and_another_of_the_rest_move_a_registry()
    {
        Device[] devices = [.. Enumerable.Range(0, 600).Select(_ => new Device())];
        var late = new Device();
        await using (RegistryProcess server = await ServeAsync(_source, "--max-per-identity", "2"))
        {
            await Task.WhenAll(devices.Select(device => PublishAsync(server, device, 1)));
            for (byte i = 2; i <= 4; i++)
            {
                await PublishAsync(server, devices[0], i);
            }

            AssertCopied(await CopyAsync(), "601 bundles", "600 devices, all sound; 600 devices written, 0 removed");
            await PublishAsync(server, devices[1], 2);
            await PublishAsync(server, late, 1);
        }

        _source.Execute(string.Create(CultureInfo.InvariantCulture, $"DELETE FROM {Table} WHERE device = {Literal(devices[2])}"));
        AssertCopied(await CopyAsync(), "602 bundles", "600 devices, all sound; 2 devices written, 1 removed");
        AssertCopied(await CopyAsync(), "602 bundles", "600 devices, all sound; 0 devices written, 0 removed");

        await using RegistryProcess moved = await ServeAsync(_target, "--max-per-identity", "2");
        Assert.Equal([4], (await moved.FetchAsync(devices[0]))!);
        Assert.Equal([2], (await moved.FetchAsync(devices[1]))!);
        Assert.Null(await moved.FetchAsync(devices[2]));
        Assert.Equal([1], (await moved.FetchAsync(late))!);
        Assert.Equal((2, 2), await _target.CountAsync(devices[0].Id));
        for (byte i = 1; i <= 3; i++)
        {
            using HttpResponseMessage replay = await moved.PublishAsync(devices[0], [i]);
            Assert.Equal(HttpStatusCode.Conflict, replay.StatusCode);
        }

        await PublishAsync(moved, devices[0], 5);
        Assert.Equal((2, 3), await _target.CountAsync(devices[0].Id));
    }

    [Fact]
    public async Task A_registry_that_served_is_no_target_and_left_as_it_is()
    {
        var (copied, own) = (new Device(), new Device());
        await PublishOnceAsync(_source, copied);
        await PublishOnceAsync(_target, own);
        (await CopyAsync()).AssertRefused("holds a registry");
        Assert.Equal((1, 0), await _target.CountAsync(own.Id));
        Assert.Equal((0, 0), await _target.CountAsync(copied.Id));
    }

    [Fact]
    public async Task A_copy_that_a_server_was_started_on_is_a_registry_of_its_own()
    {
        await PublishOnceAsync(_source, new Device());
        AssertCopied(await CopyAsync(), "1 bundles", "1 devices");
        await (await ServeAsync(_target)).DisposeAsync();
        (await CopyAsync()).AssertRefused("holds a registry");
    }

    [Fact]
    public async Task The_copy_of_one_registry_does_not_become_that_of_another()
    {
        await using var other = new SqliteData();
        await PublishOnceAsync(_source, new Device());
        await PublishOnceAsync(other, new Device());
        AssertCopied(await CopyAsync(), "1 bundles", "1 devices");
        RegistryCommand refused = await RegistryCommand.RunAsync(["copy", "--from", other.Db, "--to", _target.Db]);
        refused.AssertRefused("is a copy of ");
        Assert.DoesNotContain(other.Db, refused.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("payload")]
    [InlineData("signature")]
    public async Task Damage_ends_a_copy_which_nothing_serves_until_it_was_run_to_its_end(string column)
    {
        var (sound, damaged) = (new Device(), new Device());
        await PublishOnceAsync(_source, sound, damaged);
        _source.Execute(string.Create(
            CultureInfo.InvariantCulture, $"UPDATE {Table} SET {column} = {Literal(sound)} WHERE device = {Literal(damaged)}"));
        RegistryCommand failed = await CopyAsync();
        Assert.Equal(1, failed.ExitCode);
        Assert.Contains($"of device {damaged.Hex} in the source is damaged", failed.Errors, StringComparison.Ordinal);
        Assert.Single(failed.Errors.Split('\n'));
        RegistryCommand refused = await RegistryCommand.RunAsync(["--db", _target.Db, "--bind", "127.0.0.1:0"]);
        refused.AssertRefused("is a copy that is not complete: run RegistryFunctions copy again");

        _source.Execute(string.Create(CultureInfo.InvariantCulture, $"DELETE FROM {Table} WHERE device = {Literal(damaged)}"));
        AssertCopied(await CopyAsync(), "1 bundles", "1 devices");
        await using RegistryProcess moved = await ServeAsync(_target);
        Assert.Equal([1], (await moved.FetchAsync(sound))!);
    }

    [Fact]
    public async Task A_registry_is_not_copied_to_itself()
    {
        await PublishOnceAsync(_source, new Device());
        (await RegistryCommand.RunAsync(["copy", "--from", _source.Db, "--to", _source.Db])).AssertRefused("--to: is the registry that is copied");
    }

    [Fact]
    public async Task A_source_that_is_not_there_is_refused()
    {
        (await RegistryCommand.RunAsync(["copy", "--from", "none.db", "--to", _target.Db])).AssertRefused("there is no such file");
        (await RegistryCommand.RunAsync(["copy", "--from", "postgres://127.0.0.1:1/keys", "--to", _target.Db])).AssertRefused("postgres://127.0.0.1:1/keys: ");
        (await RegistryCommand.RunAsync(["copy", "--from", "postgres://me:secret@127.0.0.1:1/keys", "--to", _target.Db]))
            .AssertRefused("--from: has a password in it, which every user of this machine can see: put it into Registry__FromPassword");
    }

    // What the source keeps its bundles in.
    private string Table => _source is SqliteData ? "accepted" : "bundle";

    private string Literal(Device device) => _source is SqliteData ? $"x'{device.Hex}'" : $"'\\x{device.Hex}'";

    private static async Task<RegistryProcess> ServeAsync(IStoreData data, params string[] arguments)
    {
        RegistryProcess server = RegistryProcess.StartAlone(data.Db, arguments);
        await server.ReadyAsync();
        return server;
    }

    private static async Task PublishOnceAsync(IStoreData data, params Device[] devices)
    {
        await using RegistryProcess server = await ServeAsync(data);
        foreach (Device device in devices)
        {
            await PublishAsync(server, device, 1);
        }
    }

    private static async Task PublishAsync(RegistryProcess server, Device device, byte payload)
    {
        using HttpResponseMessage response = await server.PublishAsync(device, [payload]);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
    }

    private static void AssertCopied(RegistryCommand copy, params string[] parts)
    {
        Assert.Empty(copy.Errors);
        Assert.Equal(0, copy.ExitCode);
        Assert.All(parts, part => Assert.Contains(part, copy.Output, StringComparison.Ordinal));
    }

    private Task<RegistryCommand> CopyAsync() => RegistryCommand.RunAsync(["copy", "--from", _source.Db, "--to", _target.Db]);

    public sealed class SqliteToPostgres() : CopyTests(new SqliteData(), new PostgresData());

    public sealed class PostgresToSqlite() : CopyTests(new PostgresData(), new SqliteData());

    public sealed class SqliteToSqlite() : CopyTests(new SqliteData(), new SqliteData());

    public sealed class PostgresToPostgres() : CopyTests(new PostgresData(), new PostgresData());
}
