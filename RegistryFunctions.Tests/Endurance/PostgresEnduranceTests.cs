using System.Buffers.Binary;
using System.Net;
using Npgsql;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Endurance;

/// <summary>Four instances on one PostgreSQL database, under load while it and they are killed.</summary>
[Collection(Suite.Name)]
public sealed class PostgresEnduranceTests(ITestOutputHelper output) : IAsyncDisposable
{
    private const int Instances = 4;
    private const int Rounds = 10;
    private const int Keep = 2;

    private readonly RegistryProcess[] _servers = new RegistryProcess[Instances];
    private readonly PostgresCluster _cluster = new();

    public async ValueTask DisposeAsync()
    {
        foreach (RegistryProcess? server in _servers)
        {
            await (server?.DisposeAsync() ?? default);
        }

        _cluster.Dispose();
    }

    [Fact(Explicit = true)]
    public async Task Ten_crashes_of_the_database_and_twenty_of_instances_lose_nothing()
    {
        string db = _cluster.ConnectionString;
        await StartAllAsync(db);
        using var clients = new Clients(_servers, count: 24);
        for (int round = 0; round < Rounds; round++)
        {
            await clients.AcknowledgedAsync(100);
            // While the database is there, and while it is not.
            await KillAsync(round % Instances, db);
            await clients.AcknowledgedAsync(100);
            _cluster.StopImmediately();
            _servers[(round + 1) % Instances].Kill();
            _cluster.Start();
            await RestartAsync((round + 1) % Instances, db);
            await AllServeAsync();
        }

        await AssertNothingIsLostAsync(clients, db);
    }

    [Fact(Explicit = true)]
    public async Task A_standby_that_takes_over_has_all_that_was_acknowledged()
    {
        using PostgresCluster standby = _cluster.Standby();
        // The standby has the configuration from before this, so that it waits for nobody.
        _cluster.Configure("synchronous_standby_names = '*'");
        await using (NpgsqlDataSource primary = NpgsqlDataSource.Create(_cluster.ConnectionString))
        {
            await using NpgsqlCommand synchronous = primary.CreateCommand("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'");
            while ((long)(await synchronous.ExecuteScalarAsync())! == 0)
            {
            }
        }

        string either =
            $"Host={_cluster.Host},{standby.Host};Target Session Attributes=read-write;Username=registry;Database=postgres";
        await StartAllAsync(either);
        using var clients = new Clients(_servers, count: 24);
        await clients.AcknowledgedAsync(500);
        _cluster.StopImmediately();
        standby.Promote();
        await AllServeAsync();
        await clients.AcknowledgedAsync(500);
        await AssertNothingIsLostAsync(clients, standby.ConnectionString);
    }

    private async Task StartAllAsync(string db)
    {
        for (int i = 0; i < Instances; i++)
        {
            await RestartAsync(i, db);
        }
    }

    private async Task KillAsync(int instance, string db)
    {
        _servers[instance].Kill();
        await RestartAsync(instance, db);
    }

    private async Task RestartAsync(int instance, string db)
    {
        RegistryProcess? killed = _servers[instance];
        RegistryProcess server = RegistryProcess.StartAlone(db, "--max-per-identity", $"{Keep}", "--prune-interval-secs", "1");
        await server.ReadyAsync();
        Volatile.Write(ref _servers[instance], server);
        if (killed is not null)
        {
            await killed.DisposeAsync();
        }
    }

    // Each by itself, as soon as its connections are made anew.
    private async Task AllServeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        foreach (RegistryProcess server in _servers)
        {
            var device = new Device();
            while (!await server.TryPublishAsync(device, [1]))
            {
                await Task.Delay(10, patience.Token);
            }

            Assert.Equal([1], (await server.FetchAsync(device))!);
        }
    }

    private async Task AssertNothingIsLostAsync(Clients clients, string db)
    {
        await clients.EndAsync();
        foreach (RegistryProcess server in _servers)
        {
            await clients.AssertServedAsync(server);
        }

        await using NpgsqlDataSource database = NpgsqlDataSource.Create(db);
        Assert.Equal(0, await CountAsync(
            """
            SELECT count(*) FROM (
                SELECT payload, lag(payload) OVER (PARTITION BY device ORDER BY seq) AS before FROM bundle) AS neighbours
            WHERE payload <= before
            """));
        Assert.Equal(0, await CountAsync(
            $"SELECT count(*) FROM (SELECT device FROM bundle GROUP BY device HAVING count(*) > {Keep}) AS full_devices"));
        Assert.Equal(0, await CountAsync(
            """
            SELECT count(*) FROM (
                SELECT device, digest FROM (SELECT device, digest FROM bundle UNION ALL SELECT device, digest FROM spent) AS accepted
                GROUP BY device, digest HAVING count(*) > 1) AS twice
            """));
        output.WriteLine($"{clients.Acknowledged} publishes were answered with 204, {clients.Refused} with 503");

        async Task<long> CountAsync(string sql)
        {
            await using NpgsqlCommand command = database.CreateCommand(sql);
            return (long)(await command.ExecuteScalarAsync())!;
        }
    }

    /// <summary>Each has a device that publishes numbers that only grow, at any instance, and now and then an old one.</summary>
    private sealed class Clients : IDisposable
    {
        private readonly RegistryProcess[] _servers;
        private readonly Client[] _clients;
        private readonly CancellationTokenSource _end = new();
        private readonly Task _load;
        private int _acknowledged;
        private int _refused;

        public Clients(RegistryProcess[] servers, int count)
        {
            _servers = servers;
            _clients = [.. Enumerable.Range(0, count).Select(_ => new Client())];
            _load = Task.WhenAll(_clients.Select((client, i) => Task.Run(() => PublishAsync(client, new Random(i)))));
        }

        public int Acknowledged => Volatile.Read(ref _acknowledged);

        public int Refused => Volatile.Read(ref _refused);

        /// <summary>Completes after so many more.</summary>
        public async Task AcknowledgedAsync(int more)
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
            for (int enough = Acknowledged + more; Acknowledged < enough;)
            {
                Assert.False(_load.IsCompleted, $"{_load.Exception}");
                await Task.Delay(1, patience.Token);
            }
        }

        public async Task EndAsync()
        {
            await _end.CancelAsync();
            await _load;
        }

        public void Dispose() => _end.Dispose();

        /// <summary>Asserts that what was answered last is served, or what was on its way.</summary>
        public async Task AssertServedAsync(RegistryProcess server)
        {
            foreach (Client client in _clients)
            {
                byte[]? payload = await server.FetchAsync(client.Device);
                Assert.InRange(payload is null ? 0 : BinaryPrimitives.ReadInt32BigEndian(payload), client.Acknowledged, client.Sent);
            }
        }

        private async Task PublishAsync(Client client, Random random)
        {
            while (!_end.IsCancellationRequested)
            {
                // One in ten is a replay, once there is something to replay.
                int superseded = client.Superseded;
                int number = superseded > 0 && random.Next(10) == 0 ? superseded : ++client.Sent;
                RegistryProcess server = Volatile.Read(ref _servers[random.Next(_servers.Length)]);
                try
                {
                    using HttpResponseMessage response = await server.PublishAsync(client.Device, Payload(number));
                    Count(client, number, response.StatusCode, superseded, server);
                }
                catch (HttpRequestException)
                {
                    // The instance is gone; what it was sent may or may not be stored.
                }
            }
        }

        private void Count(Client client, int number, HttpStatusCode status, int superseded, RegistryProcess server)
        {
            switch (status)
            {
                case HttpStatusCode.NoContent when number != superseded:
                    (client.Superseded, client.Acknowledged) = (client.Acknowledged, number);
                    Interlocked.Increment(ref _acknowledged);
                    break;
                case HttpStatusCode.Conflict when number == superseded:
                    break;
                case HttpStatusCode.ServiceUnavailable:
                    Interlocked.Increment(ref _refused);
                    break;
                default:
                    Assert.Fail($"{number} after {client.Acknowledged} and {superseded}: {status}. {server.Errors}");
                    break;
            }
        }

        private static byte[] Payload(int number)
        {
            // Compared as bytes.
            byte[] payload = new byte[sizeof(int)];
            BinaryPrimitives.WriteInt32BigEndian(payload, number);
            return payload;
        }

        private sealed class Client
        {
            public Device Device { get; } = new();

            public int Sent { get; set; }

            public int Acknowledged { get; set; }

            /// <summary>What was acknowledged before that; 0 for nothing.</summary>
            public int Superseded { get; set; }
        }
    }
}
