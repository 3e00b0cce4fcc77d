using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

public sealed class CrashTests : IDisposable
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
            await using RegistryProcess server = RegistryProcess.StartAlone(db);
            await server.ReadyAsync();
            await clients.AssertServedAsync(server);
            int before = clients.Acknowledged;
            Task load = clients.PublishUntilTheEndAsync(server);
            while (clients.Acknowledged < before + 300)
            {
                // Clients that end before the kill have found something wrong.
                Assert.False(load.IsCompleted, $"{load.Exception} {server.Errors}");
                await Task.Delay(1);
            }

            server.Kill();
            await load;
            Assert.NotEqual(0, await server.ExitAsync());
        }

        await using RegistryProcess last = RegistryProcess.StartAlone(db);
        await last.ReadyAsync();
        await clients.AssertServedAsync(last);
        using var database = new Database(db);
        Assert.Equal("ok", database.Scalar<string>("PRAGMA integrity_check"));
    }
}
