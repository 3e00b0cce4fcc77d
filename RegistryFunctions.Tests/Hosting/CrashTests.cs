using System.Collections.Concurrent;
using System.Net;
using Microsoft.Data.Sqlite;
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
        var acknowledged = new ConcurrentBag<(Device Device, byte Last)>();
        for (int round = 0; round < 5; round++)
        {
            await using RegistryProcess server = RegistryProcess.StartAlone(db);
            await server.ReadyAsync();
            await AssertServedAsync(server, acknowledged);
            int before = acknowledged.Count;
            Task[] clients = [.. Enumerable.Range(0, 16).Select(_ => PublishUntilTheEndAsync(server, acknowledged))];
            while (acknowledged.Count < before + 150)
            {
                // A client that ends before the kill has found something wrong.
                Assert.False(Array.Exists(clients, client => client.IsCompleted), server.Errors);
                await Task.Delay(1);
            }

            server.Kill();
            await Task.WhenAll(clients);
            Assert.NotEqual(0, await server.ExitAsync());
        }

        await using RegistryProcess last = RegistryProcess.StartAlone(db);
        await last.ReadyAsync();
        await AssertServedAsync(last, acknowledged);
        Assert.Equal("ok", IntegrityOf(db));
    }

    private static async Task PublishUntilTheEndAsync(
        RegistryProcess server, ConcurrentBag<(Device Device, byte Last)> acknowledged)
    {
        try
        {
            while (true)
            {
                var device = new Device();
                for (byte i = 0; i < 2; i++)
                {
                    using HttpResponseMessage response = await server.PublishAsync(device, [i]);
                    Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
                }

                acknowledged.Add((device, 1));
            }
        }
        catch (HttpRequestException)
        {
            // The server is gone.
        }
    }

    private static async Task AssertServedAsync(RegistryProcess server, IEnumerable<(Device Device, byte Last)> acknowledged)
    {
        foreach ((Device device, byte last) in acknowledged)
        {
            Assert.Equal([last], (await server.FetchAsync(device))!);
        }
    }

    private static string IntegrityOf(string db)
    {
        using var connection = new SqliteConnection($"Data Source={db};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "PRAGMA integrity_check";
        return (string)command.ExecuteScalar()!;
    }
}
