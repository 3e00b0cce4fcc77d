using System.Net;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>Several processes on one file.</summary>
public sealed class SharedFileTests : IDisposable
{
    private readonly TestFolder _folder = new();

    private string Db => _folder.File("registry.db");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Two_servers_on_one_file_keep_the_limit_and_both_serve_what_came_last()
    {
        await using RegistryProcess one = RegistryProcess.StartAlone(Db, "--max-per-identity", "2");
        await one.ReadyAsync();
        await using RegistryProcess two = RegistryProcess.StartAlone(Db, "--max-per-identity", "2");
        await two.ReadyAsync();
        Device[] devices = [.. Enumerable.Range(0, 8).Select(_ => new Device())];
        await Task.WhenAll(devices.SelectMany(device => (Task[])[PublishAsync(one, device, 0), PublishAsync(two, device, 100)]));
        foreach (Device device in devices)
        {
            byte[]? newest = await one.FetchAsync(device);
            Assert.Equal(newest, await two.FetchAsync(device));
            // The last of one of the two: nothing else can have come last.
            Assert.Contains(newest![0], (byte[])[19, 119]);
            using HttpResponseMessage replay = await one.PublishAsync(device, [0]);
            Assert.Equal(HttpStatusCode.Conflict, replay.StatusCode);
            using HttpResponseMessage last = await two.PublishAsync(device, [200]);
            Assert.Equal(HttpStatusCode.NoContent, last.StatusCode);
            Assert.Equal([200], (await one.FetchAsync(device))!);
        }

        Assert.Empty(one.Errors + two.Errors);
        using var database = new Database(Db);
        Assert.Equal(2, database.Scalar<long>("SELECT max(held) FROM (SELECT count(*) AS held FROM bundle GROUP BY device)"));
        Assert.Equal("ok", database.Scalar<string>("PRAGMA integrity_check"));
    }

    [Fact]
    public async Task A_lock_of_another_process_lets_publishes_wait_and_then_refuses_them_fetches_go_on_and_it_heals()
    {
        await using RegistryProcess server = RegistryProcess.StartAlone(Db);
        await server.ReadyAsync();
        var device = new Device();
        await PublishAsync(server, device, 0);
        using (var other = new Database(Db))
        {
            other.Execute("BEGIN IMMEDIATE");
            Task<HttpResponseMessage> publish = server.PublishAsync(device, [50]);
            Assert.Equal([19], (await server.FetchAsync(device))!);
            Assert.False(publish.IsCompleted);
            using HttpResponseMessage refused = await publish;
            await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, refused);
            Assert.NotNull(refused.Headers.RetryAfter?.Delta);
            Assert.Equal([19], (await server.FetchAsync(device))!);

            // One that the lock leaves in time is taken.
            publish = server.PublishAsync(device, [51]);
            Assert.Equal([19], (await server.FetchAsync(device))!);
            other.Execute("COMMIT");
            using HttpResponseMessage taken = await publish;
            Assert.Equal(HttpStatusCode.NoContent, taken.StatusCode);
        }

        Assert.Equal([51], (await server.FetchAsync(device))!);
        Assert.Single(server.Errors.Split('\n'));
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
