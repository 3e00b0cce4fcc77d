using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Endurance;

/// <summary>One file that outlives two hundred servers, none of which got to close it.</summary>
[Collection(Suite.Name)]
public sealed class CrashEnduranceTests(ITestOutputHelper output) : IDisposable
{
    private const int Rounds = 200;
    private const int LifetimeMs = 700;
    private const int StartMs = 40;

    // It is copied every 16 MB, and grows until that is done. What a life leaves behind, the next one copies and reuses.
    private const long LargestLog = 128 * 1024 * 1024;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact(Explicit = true)]
    public async Task Two_hundred_kills_at_random_moments_lose_nothing_and_leave_the_file_whole()
    {
        int seed = Seed.Of(output);
        var random = new Random(seed);
        string db = _folder.File("registry.db");
        var clients = new PublishingClients(16);
        int killedInTheStart = 0;
        for (int round = 0; round < Rounds; round++)
        {
            // The timer prunes at the start and then each second: what is made old here is dropped under the load.
            await using RegistryProcess server = RegistryProcess.StartAlone(
                db, "--prune-interval-secs", "1", "--retention-days", "1", "--max-per-identity", "2");
            Task load = Task.CompletedTask;
            if (random.Next(4) == 0)
            {
                await Task.Delay(random.Next(StartMs));
                killedInTheStart++;
            }
            else
            {
                await server.ReadyAsync();
                await clients.AssertServedAsync(server);
                LeaveSomethingToPrune(db, random);
                load = clients.PublishUntilTheEndAsync(server);
                await Task.Delay(random.Next(LifetimeMs));
                Assert.False(load.IsCompleted, $"{load.Exception} {server.Errors}");
            }

            server.Kill();
            await load;
            Assert.NotEqual(0, await server.ExitAsync());
            Assert.Empty(server.Errors);
            AssertWhole(db);
        }

        await using RegistryProcess last = RegistryProcess.StartAlone(db);
        await last.ReadyAsync();
        await clients.AssertServedAsync(last);
        output.WriteLine($"{clients.Acknowledged} publishes were answered; {killedInTheStart} kills came in the start");
        Assert.True(clients.Acknowledged > Rounds * 10, $"{clients.Acknowledged} publishes are no load");
    }

    // On a copy: who closes a file last tidies up after the crash, and only the next server should.
    private void AssertWhole(string db)
    {
        string copy = _folder.File("copy.db");
        foreach (string suffix in (string[])["", "-wal"])
        {
            File.Delete(copy + suffix);
            if (File.Exists(db + suffix))
            {
                File.Copy(db + suffix, copy + suffix);
            }
        }

        using var database = new Database(copy);
        Assert.Equal("ok", database.Scalar<string>("PRAGMA integrity_check"));
        string log = $"{db}-wal";
        Assert.InRange(File.Exists(log) ? new FileInfo(log).Length : 0, 0, LargestLog);
    }

    // Bundles of devices that no client asks for, received long ago.
    private static void LeaveSomethingToPrune(string db, Random random)
    {
        using var database = new Database(db);
        database.Execute(
            $"""
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {random.Next(3_000)})
            INSERT INTO accepted (head, device, received, digest, checksum, signature, payload)
            SELECT 0, randomblob(32), i, i, 0, zeroblob(64), zeroblob(300) FROM n
            """);
    }
}
