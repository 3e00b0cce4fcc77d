using System.Net;
using Microsoft.Extensions.Logging;
using RegistryFunctions.Storage.Sqlite;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Contract;

/// <summary>What becomes of a registry whose file is damaged or taken away in part.</summary>
public abstract class StorageFaultTests(Way way) : IDisposable
{
    private const int Devices = 40;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_disk_that_becomes_read_only_is_503_for_publishes_logged_once_and_loses_nothing()
    {
        using var disk = new FailingDisk();
        var device = new Device();
        await using (RegistryServer server = await RegistryServer.StartAsync(way, ("Db", disk.File("registry.db"))))
        {
            await server.PublishAsync(device, [1]);
            disk.Fail();
            for (byte i = 2; i < 5; i++)
            {
                using HttpResponseMessage refused = await server.PublishAsync(device, [i]);
                await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, refused);
            }

            await server.AssertServesAsync(device, [1]);
            await server.StopWithOneWarningAsync();
        }

        disk.Mend();
        await using RegistryServer again = await RegistryServer.StartAsync(way, ("Db", disk.File("registry.db")));
        await again.AssertServesAsync(device, [1]);
        using HttpResponseMessage healed = await again.PublishAsync(device, [5]);
        Assert.Equal(HttpStatusCode.NoContent, healed.StatusCode);
    }

    [Theory]
    [InlineData("", 0.1)]
    [InlineData("", 0.5)]
    [InlineData("", 0.9)]
    [InlineData("-wal", 0.0)]
    [InlineData("-wal", 0.5)]
    public async Task A_file_cut_short_under_the_registry_never_gives_wrong_bytes(string suffix, double part)
    {
        await using RegistryServer server = await RegistryServer.StartAsync(way);
        (Device Device, byte[] Payload)[] published = await PublishAsync(server);
        if (suffix.Length == 0)
        {
            // All of it in the database itself.
            await server.RestartAsync();
        }

        using (FileStream file = File.OpenWrite(server.Db + suffix))
        {
            file.SetLength((long)(file.Length * part));
        }

        await AssertNeverWrongAsync(server, published);
    }

    [Theory]
    [InlineData("", 1)]
    [InlineData("", 7)]
    [InlineData("-wal", 1)]
    [InlineData("-wal", 7)]
    public async Task Pages_overwritten_under_the_registry_never_give_wrong_bytes(string suffix, int every)
    {
        await using RegistryServer server = await RegistryServer.StartAsync(way);
        (Device Device, byte[] Payload)[] published = await PublishAsync(server);
        if (suffix.Length == 0)
        {
            await server.RestartAsync();
        }

        OverwritePages(server.Db + suffix, every);
        await AssertNeverWrongAsync(server, published);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(4_096, false)]
    [InlineData(300_001, false)]
    [InlineData(300_001, true)]
    public async Task A_database_without_its_end_is_refused_at_the_start(int missing, bool hasLog)
    {
        string db = _folder.File("registry.db");
        await using (RegistryServer server = await RegistryServer.StartAsync(way))
        {
            for (int i = 0; i < Devices; i++)
            {
                await server.PublishAsync(new Device(), Device.RandomPayload(10_000));
            }

            await server.RestartAsync();
            await server.PublishAsync(new Device(), [1]);
            if (!hasLog)
            {
                await server.RestartAsync();
            }

            File.Copy(server.Db, db);
            if (hasLog)
            {
                File.Copy($"{server.Db}-wal", $"{db}-wal");
            }
        }

        using (FileStream file = File.OpenWrite(db))
        {
            file.SetLength(file.Length - missing);
        }

        await AssertRefusedAsDamagedAsync(db);
    }

    [Theory]
    [InlineData("accepted")]
    [InlineData("accepted_by_device")]
    [InlineData("bundle_by_age")]
    [InlineData("spent_by_age")]
    public async Task A_database_that_lost_the_root_of_a_tree_is_refused_at_the_start(string tree)
    {
        string db = _folder.File("registry.db");
        await using (RegistryServer server = await RegistryServer.StartAsync(way, ("Db", db)))
        {
            await PublishAsync(server);
        }

        long page, size;
        using (var database = new Database(db))
        {
            page = database.Scalar<long>($"SELECT rootpage FROM sqlite_schema WHERE name = '{tree}'");
            size = database.Scalar<long>("PRAGMA page_size");
        }

        using (FileStream file = File.OpenWrite(db))
        {
            file.Position = (page - 1) * size;
            file.Write(new byte[size]);
        }

        await AssertRefusedAsDamagedAsync(db);
    }

    [Theory]
    [InlineData("a backup")]
    [InlineData("an older copy")]
    [InlineData("another registry's")]
    [InlineData("text")]
    [InlineData("nothing")]
    public async Task A_file_overwritten_under_the_registry_is_503_for_publishes_until_it_is_mended(string with)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs cp as it is on Linux");
        string other = _folder.File("other");
        await using RegistryServer server = await RegistryServer.StartAsync(way);
        await PublishAsync(server);
        switch (with)
        {
            case "a backup":
                SqliteBackup.Copy(server.Db, other, _ => { }, CancellationToken.None);
                break;
            case "an older copy":
                await server.RestartAsync();
                File.Copy(server.Db, other);
                await PublishAsync(server);
                await server.RestartAsync();
                break;
            case "another registry's":
                await using (RegistryServer another = await RegistryServer.StartAsync(way, ("Db", other)))
                {
                    await another.PublishAsync(new Device(), [1]);
                }

                await server.RestartAsync();
                break;
            default:
                await File.WriteAllTextAsync(other, with == "text" ? new string('x', 100_000) : "");
                break;
        }

        await PublishAsync(server);
        Assert.Equal(0, Shell.Run("cp", other, server.Db));
        for (byte i = 0; i < 3; i++)
        {
            using HttpResponseMessage refused = await server.PublishAsync(new Device(), [i]);
            await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, refused);
        }

        using HttpResponseMessage unready = await server.SendAsync(HttpMethod.Get, "health/ready");
        await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, unready);
        LogLine[] faults = [.. (await server.StopAsync()).Where(line => line.Level >= LogLevel.Warning)];
        Assert.Contains(faults, line => line.Text.Contains("was overwritten", StringComparison.Ordinal));
        // What was only in there must not be lost, nor what is in the file now. Beside an empty file, SQLite deletes any log.
        Assert.True(with == "nothing" || File.Exists($"{server.Db}-wal"));
        Assert.Equal(File.ReadAllBytes(other), File.ReadAllBytes(server.Db));
    }

    [Fact]
    public async Task What_the_registry_does_to_the_database_does_not_look_like_overwriting()
    {
        await using RegistryServer server = await RegistryServer.StartAsync(way, ("MaxBodyBytes", "67108864"));
        var device = new Device();
        for (int round = 0; round < 3; round++)
        {
            // Each is more than the log holds before it is copied.
            long before = new FileInfo(server.Db).Length;
            byte[] payload = Device.RandomPayload(20_000_000);
            int published = 0;
            do
            {
                using HttpResponseMessage response = await server.PublishAsync(device, payload);
                Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
                payload = Device.RandomPayload();
                Assert.InRange(++published, 1, 10_000);
            }
            while (new FileInfo(server.Db).Length == before);
        }

        await server.RestartAsync();
        using HttpResponseMessage last = await server.PublishAsync(device, [1]);
        Assert.Equal(HttpStatusCode.NoContent, last.StatusCode);
        await server.AssertStopsWithoutWarningsAsync();
    }

    [Fact]
    public async Task What_others_do_to_the_database_through_SQLite_does_not_look_like_overwriting()
    {
        await using RegistryServer server = await RegistryServer.StartAsync(way);
        using var other = new Database(server.Db);
        var device = new Device();
        for (byte round = 0; round < 5; round++)
        {
            foreach (string sql in (string[])
                [
                    "CREATE TABLE other (x)",
                    "INSERT INTO other WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT randomblob(4000) FROM n",
                    "DELETE FROM other WHERE rowid % 2",
                    $"PRAGMA auto_vacuum = {(round % 2 == 0 ? "FULL" : "NONE")}",
                    "VACUUM",
                    "REINDEX",
                    "DROP TABLE other",
                    "VACUUM; VACUUM",
                ])
            {
                other.Execute(sql);
                foreach (string mode in (string[])["PASSIVE", "RESTART", "TRUNCATE"])
                {
                    other.Execute($"PRAGMA wal_checkpoint({mode})");
                    using HttpResponseMessage published = await server.PublishAsync(device, Device.RandomPayload());
                    Assert.Equal(HttpStatusCode.NoContent, published.StatusCode);
                }
            }

            await server.RestartAsync();
        }

        await server.AssertStopsWithoutWarningsAsync();
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(0.3)]
    [InlineData(0.99)]
    public async Task A_write_ahead_log_cut_short_before_the_start_never_gives_wrong_bytes(double part)
    {
        string db = _folder.File("registry.db");
        (Device Device, byte[] Payload)[] published = await LeaveLogAsync(db);
        using (FileStream file = File.OpenWrite($"{db}-wal"))
        {
            file.SetLength((long)(file.Length * part));
        }

        await AssertRefusedOrNeverWrongAsync(db, published);
    }

    [Fact]
    public async Task A_write_ahead_log_overwritten_before_the_start_never_gives_wrong_bytes()
    {
        string db = _folder.File("registry.db");
        (Device Device, byte[] Payload)[] published = await LeaveLogAsync(db);
        OverwritePages($"{db}-wal", every: 5);
        await AssertRefusedOrNeverWrongAsync(db, published);
    }

    private static async Task<(Device Device, byte[] Payload)[]> PublishAsync(RegistryServer server)
    {
        (Device Device, byte[] Payload)[] bundles = [.. Enumerable.Range(0, Devices).Select(_ => (new Device(), Device.RandomPayload()))];
        foreach ((Device device, byte[] payload) in bundles)
        {
            using HttpResponseMessage response = await server.PublishAsync(device, payload);
            Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        }

        return bundles;
    }

    // As after a crash: the file and its log, copied from under a server.
    private async Task<(Device Device, byte[] Payload)[]> LeaveLogAsync(string db)
    {
        await using RegistryServer server = await RegistryServer.StartAsync(way);
        (Device Device, byte[] Payload)[] published = await PublishAsync(server);
        File.Copy(server.Db, db);
        File.Copy($"{server.Db}-wal", $"{db}-wal");
        return published;
    }

    private static void OverwritePages(string path, int every)
    {
        const int PageSize = 4096;
        using FileStream file = File.OpenWrite(path);
        byte[] noise = Device.RandomPayload(PageSize / 2);
        // The first page stays: without it, it is no database at all.
        for (long at = PageSize * 3 / 2; at + noise.Length < file.Length; at += PageSize * every)
        {
            file.Position = at;
            file.Write(noise);
        }
    }

    private async Task AssertRefusedAsDamagedAsync(string db)
    {
        StartRefusedException refused = await Assert.ThrowsAsync<StartRefusedException>(
            () => RegistryServer.StartAsync(way, ("Db", db)));
        Assert.StartsWith($"{db}: is damaged", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
    }

    private async Task AssertRefusedOrNeverWrongAsync(string db, (Device Device, byte[] Payload)[] published)
    {
        try
        {
            await using RegistryServer server = await RegistryServer.StartAsync(way, ("Db", db));
            await AssertNeverWrongAsync(server, published);
        }
        catch (StartRefusedException refused)
        {
            Assert.StartsWith($"{db}: ", refused.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', refused.Message);
        }
    }

    // Each is served as it was signed, or missed, or refused; publishing works or is refused; nothing else.
    private static async Task AssertNeverWrongAsync(RegistryServer server, (Device Device, byte[] Payload)[] published)
    {
        foreach ((Device device, byte[] payload) in published)
        {
            using HttpResponseMessage response = await server.GetAsync(device.Hex);
            if (response.StatusCode == HttpStatusCode.OK)
            {
                Assert.Equal(payload, await Fetched.PayloadAsync(response, device));
            }
            else if (response.StatusCode != HttpStatusCode.NotFound)
            {
                await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, response);
            }
        }

        using HttpResponseMessage publish = await server.PublishAsync(new Device(), [1]);
        if (publish.StatusCode != HttpStatusCode.NoContent)
        {
            await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, publish);
        }
    }

    public sealed class StandAlone() : StorageFaultTests(Way.StandAlone);

    public sealed class ThroughTheWorker() : StorageFaultTests(Way.Worker);
}
