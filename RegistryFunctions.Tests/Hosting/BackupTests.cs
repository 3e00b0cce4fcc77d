using System.Collections.Concurrent;
using System.Net;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>The backup command of the executable.</summary>
public sealed class BackupTests : IDisposable
{
    private readonly TestFolder _folder = new();

    private string Db => _folder.File("registry.db");

    private string Copy => _folder.File("backup.db");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_backup_made_while_clients_publish_is_sound_and_serves_all_that_was_acknowledged_before_it_began()
    {
        Device[] before;
        await using (RegistryProcess server = RegistryProcess.StartAlone(Db))
        {
            await server.ReadyAsync();
            var acknowledged = new ConcurrentBag<Device>();
            using var enough = new CancellationTokenSource();
            Task[] clients = [.. Enumerable.Range(0, 8).Select(_ => PublishAsync(server, acknowledged, enough.Token))];
            while (acknowledged.Count < 200)
            {
                Assert.False(Array.Exists(clients, client => client.IsCompleted), server.Errors);
                await Task.Delay(1);
            }

            before = [.. acknowledged];
            RegistryCommand backup = await RegistryCommand.RunAsync(["backup", Copy, "--db", Db]);
            Assert.Equal(0, backup.ExitCode);
            Assert.Matches($@"^Backed up \d+ bundles to {Copy}: {new FileInfo(Copy).Length} bytes in \d+\.\d s$", backup.Output);
            Assert.Empty(backup.Errors);
            int sinceThen = acknowledged.Count;
            while (acknowledged.Count < sinceThen + 50)
            {
                Assert.False(Array.Exists(clients, client => client.IsCompleted), server.Errors);
                await Task.Delay(1);
            }

            await enough.CancelAsync();
            await Task.WhenAll(clients);
        }

        RegistryCommand check = await RegistryCommand.RunAsync(["check", Copy]);
        Assert.Equal(0, check.ExitCode);
        Assert.EndsWith(": all sound", check.LastLine, StringComparison.Ordinal);
        Assert.Equal([Copy], Directory.GetFiles(_folder.Path, "backup*"));

        await using RegistryProcess restored = RegistryProcess.StartAlone(Copy);
        await restored.ReadyAsync();
        foreach (Device device in before)
        {
            Assert.Equal(device.Id.Span.ToArray(), (await restored.FetchAsync(device))!);
        }
    }

    [Fact]
    public async Task The_database_is_named_by_the_settings_of_the_server()
    {
        await ServeOneBundleAsync(Db);
        RegistryCommand bySetting = await RegistryCommand.RunAsync(["backup", Copy], settings: ("Registry__Db", Db));
        Assert.StartsWith("Backed up 1 bundles", bySetting.Output, StringComparison.Ordinal);
        RegistryCommand flagWins = await RegistryCommand.RunAsync(
            ["backup", _folder.File("2.db"), "--db", Db], settings: [("Registry__Db", "none.db"), ("Registry__Bind", "nonsense")]);
        Assert.Equal(0, flagWins.ExitCode);
        RegistryCommand byDefault = await RegistryCommand.RunAsync(["backup", "3.db"], _folder.Path);
        byDefault.AssertRefused("keypackage-registry.db: there is no such file");
        RegistryCommand misspelt = await RegistryCommand.RunAsync(["backup", "4.db"], _folder.Path, ("Registry__Database", Db));
        misspelt.AssertRefused("Registry__Database: is not a setting");
    }

    [Theory]
    [InlineData("backup.db")]
    [InlineData("backup.db-wal")]
    [InlineData("backup.db-journal")]
    public async Task An_existing_file_is_refused_and_left_as_it_was(string taken)
    {
        await ServeOneBundleAsync(Db);
        await File.WriteAllTextAsync(_folder.File(taken), "precious");
        RegistryCommand backup = await RegistryCommand.RunAsync(["backup", Copy, "--db", Db]);
        backup.AssertRefused($"{_folder.File(taken)}: already exists");
        Assert.Equal("precious", await File.ReadAllTextAsync(_folder.File(taken)));
        Assert.Equal(2, Directory.GetFiles(_folder.Path).Length);
    }

    [Fact]
    public async Task A_source_that_does_not_exist_is_refused_and_not_created()
    {
        (await RegistryCommand.RunAsync(["backup", Copy, "--db", Db])).AssertRefused($"{Db}: there is no such file");
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public async Task A_file_that_is_no_registry_s_is_refused_and_left_as_it_was()
    {
        await File.WriteAllBytesAsync(Db, [.. Enumerable.Repeat((byte)'x', 5_000)]);
        await AssertSourceRefusedAsync("is not a SQLite database");

        await File.WriteAllBytesAsync(Db, []);
        await AssertSourceRefusedAsync("of another program");

        using (var other = new Database(Db))
        {
            other.Execute("CREATE TABLE bundle (x)");
        }

        await AssertSourceRefusedAsync("of another program");
    }

    [Fact]
    public async Task A_database_of_a_newer_release_is_refused()
    {
        await ServeOneBundleAsync(Db);
        using (var database = new Database(Db))
        {
            database.Execute("PRAGMA user_version = 1000");
        }

        await AssertSourceRefusedAsync("newer release (schema 1000");
    }

    [Fact]
    public async Task A_target_without_a_folder_or_in_one_that_takes_no_files_is_refused()
    {
        await ServeOneBundleAsync(Db);
        string nowhere = _folder.File("none/backup.db");
        (await RegistryCommand.RunAsync(["backup", nowhere, "--db", Db])).AssertRefused($"{nowhere}: its folder does not exist");
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs Linux's /proc, in which nobody can create a file");
        (await RegistryCommand.RunAsync(["backup", "/proc/self/backup.db", "--db", Db])).AssertRefused("can't be created");
    }

    [Fact]
    public async Task A_full_disk_ends_a_backup_with_one_line_and_nothing_is_left()
    {
        using var disk = new SmallDisk(kibibytes: 512);
        await ServeOneBundleAsync(Db);
        Fill(Db, megabytes: 2);
        RegistryCommand backup = await RegistryCommand.RunAsync(["backup", disk.File("backup.db"), "--db", Db]);
        Assert.Equal(1, backup.ExitCode);
        Assert.Equal($"RegistryFunctions: {disk.File("backup.db")}: its disk is full: make room", backup.Errors);
        Assert.Empty(backup.Output);
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(disk.File("backup.db"))!));
    }

    [Fact]
    public async Task A_signal_ends_a_backup_under_way_and_nothing_is_left()
    {
        await ServeOneBundleAsync(Db);
        Fill(Db, megabytes: 200);
        await using RegistryProcess backup = RegistryProcess.Start(RegistryProcess.Executable, 1, ["backup", Copy, "--db", Db]);
        while (Directory.GetFiles(_folder.Path, "backup.db.*.partial").Length == 0)
        {
            Assert.False(File.Exists(Copy), "It was over before it was seen: make the database larger.");
            await Task.Delay(1);
        }

        backup.Terminate();
        Assert.Equal(130, await backup.ExitAsync());
        Assert.Equal("RegistryFunctions: interrupted", backup.Errors);
        Assert.Empty(Directory.GetFiles(_folder.Path, "backup*"));
    }

    private static async Task PublishAsync(RegistryProcess server, ConcurrentBag<Device> acknowledged, CancellationToken enough)
    {
        while (!enough.IsCancellationRequested)
        {
            var device = new Device();
            using HttpResponseMessage response = await server.PublishAsync(device, device.Id.Span);
            Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
            acknowledged.Add(device);
        }
    }

    private static async Task ServeOneBundleAsync(string db)
    {
        await using RegistryProcess server = RegistryProcess.StartAlone(db);
        await server.ReadyAsync();
        using HttpResponseMessage response = await server.PublishAsync(new Device(), [1]);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        server.Terminate();
        await server.ExitAsync();
    }

    private static void Fill(string db, int megabytes)
    {
        using var database = new Database(db);
        database.Execute(
            $"""
            PRAGMA synchronous = OFF;
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {megabytes})
            INSERT INTO accepted (head, device, received, digest, checksum, signature, payload)
            SELECT 0, randomblob(32), 0, 0, 0, zeroblob(64), zeroblob(1000000) FROM n;
            """);
    }

    private async Task AssertSourceRefusedAsync(string reason)
    {
        byte[] before = await File.ReadAllBytesAsync(Db);
        (await RegistryCommand.RunAsync(["backup", Copy, "--db", Db])).AssertRefused(reason);
        Assert.Equal(before, await File.ReadAllBytesAsync(Db));
        Assert.Equal([Db], Directory.GetFiles(_folder.Path));
    }
}
