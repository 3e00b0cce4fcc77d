using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>A clean shutdown while clients publish.</summary>
public abstract class StopTests(Way way) : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_stop_under_load_answers_what_is_in_flight_and_ends_with_0()
    {
        string db = _folder.File("registry.db");
        var clients = new PublishingClients(16);
        await using (RunningRegistry registry = await RunningRegistry.StartAsync(way, db))
        {
            Task load = await clients.PublishAsync(registry.Process, atLeast: 500);
            Assert.Equal(0, await registry.StopAsync());
            await load;
            Assert.Empty(registry.Process.Errors);
        }

        // The store was closed: its log is copied and gone.
        Assert.Equal([db], Directory.GetFiles(_folder.Path));
        await using RunningRegistry again = await RunningRegistry.StartAsync(way, db);
        if (way == Way.StandAlone)
        {
            await clients.AssertAllAnsweredAsync(again.Process);
        }
        else
        {
            // The host may drop the worker's last answers.
            await clients.AssertServedAsync(again.Process);
        }
    }

    public sealed class StandAlone() : StopTests(Way.StandAlone);

    public sealed class ThroughTheWorker() : StopTests(Way.Worker);
}
