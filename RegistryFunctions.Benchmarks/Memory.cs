namespace RegistryFunctions.Benchmarks;

/// <summary>Resident memory under load.</summary>
internal static class Memory
{
    private const int Minute = 60;

    // So that a minute's worth of publishes lasts for all ten: at most 2,000 a second.
    private const int PublishingConnections = 4;
    private const double PublishingPauseMs = 2;

    /// <summary>After a minute of each load.</summary>
    public static async Task<Round> MinuteAsync(Bench bench)
    {
        string[] registry = await bench.RegistryAsync();
        Database large = await Database.WithAsync(Database.Large);
        return async () =>
        {
            double register = await AfterAMinuteAsync(registry, Database.Empty(), Requests.PublishesFor(Minute));
            double retrieve = await AfterAMinuteAsync(registry, large.Path, large.Fetches);
            return new Finding(double.Max(register, retrieve), $"Register {register:N0} MB, Retrieve of 2 million {retrieve:N0} MB");
        };
    }

    /// <summary>Whether it stays where it is under a load that lasts.</summary>
    public static async Task<Round> SoakAsync(Bench bench)
    {
        string[] registry = await bench.RegistryAsync();
        Database large = await Database.WithAsync(Database.Large);
        return async () =>
        {
            Requests publishes = Requests.PublishesFor(Minute);
            await using ServerProcess server = await ServerProcess.StartAsync(registry, large.Copy());
            var megabytes = new List<double>();
            while (megabytes.Count < 10)
            {
                await Task.WhenAll(
                    Wrk.RunAsync(server, large.Fetches, Minute, Wrk.Connections - PublishingConnections),
                    Wrk.RunAsync(server, publishes, Minute, PublishingConnections, PublishingPauseMs));
                megabytes.Add(server.Megabytes);
            }

            return new Finding(
                megabytes.Skip(5).Max() / megabytes.Take(5).Max(),
                $"after each minute {string.Join(", ", megabytes.Select(megabyte => $"{megabyte:N0}"))} MB");
        };
    }

    private static async Task<double> AfterAMinuteAsync(string[] registry, string db, Requests requests)
    {
        await using ServerProcess server = await ServerProcess.StartAsync(registry, db);
        await Wrk.RunAsync(server, requests, Minute);
        return server.Megabytes;
    }
}
