using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>kill -9 while clients publish.</summary>
public abstract class CrashTests(Way way) : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Every_bundle_answered_with_204_is_served_after_kill_9()
    {
        string db = _folder.File("registry.db");
        var clients = new PublishingClients(16);
        for (int round = 0; round < 5; round++)
        {
            await using RunningRegistry registry = await RunningRegistry.StartAsync(way, db);
            await clients.AssertServedAsync(registry.Process);
            Task load = await clients.PublishAsync(registry.Process, atLeast: 300);
            await registry.KillAsync();
            await load;
        }

        await using RunningRegistry last = await RunningRegistry.StartAsync(way, db);
        await clients.AssertServedAsync(last.Process);
        using var database = new Database(db);
        Assert.Equal("ok", database.Scalar<string>("PRAGMA integrity_check"));
    }

    public sealed class StandAlone() : CrashTests(Way.StandAlone);

    public sealed class ThroughTheWorker() : CrashTests(Way.Worker);
}
