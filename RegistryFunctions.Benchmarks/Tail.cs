namespace RegistryFunctions.Benchmarks;

/// <summary>
/// How far the slow publishes are from the usual ones at half of the most that the registry takes. wrk knows no rate: its
/// connections rest between an answer and the next request. What the load itself adds shows at the limit server.
/// </summary>
internal static class Tail
{
    public static async Task<Round> PrepareAsync(Bench bench)
    {
        string[] registry = await bench.RegistryAsync(), limit = await bench.LimitAsync("parse-and-verify");
        return async () =>
        {
            Requests publishes = Requests.PublishesFor(3 * (Wrk.WarmUp + bench.Seconds));
            double most, pauseMs;
            Load half;
            await using (ServerProcess server = await ServerProcess.StartAsync(registry, Database.Empty()))
            {
                await Wrk.RunAsync(server, publishes, Wrk.WarmUp);
                most = (await Wrk.RunAsync(server, publishes, bench.Seconds)).PerSecond;
                // At half the rate, a connection's turn takes twice as long. A first try tells what in it is not pause.
                double turnMs = 2_000 * Wrk.Connections / most;
                double triedMs = 0.8 * turnMs;
                Load tried = await Wrk.RunAsync(server, publishes, Wrk.WarmUp, pauseMs: triedMs);
                pauseMs = double.Max(0, turnMs + triedMs - 1_000 * Wrk.Connections / tried.PerSecond);
                half = await Wrk.RunAsync(server, publishes, bench.Seconds, pauseMs: pauseMs);
            }

            await using ServerProcess parseAndVerify = await ServerProcess.StartAsync(limit);
            await Wrk.RunAsync(parseAndVerify, publishes, Wrk.WarmUp, pauseMs: pauseMs);
            Load without = await Wrk.RunAsync(parseAndVerify, publishes, bench.Seconds, pauseMs: pauseMs);
            return new Finding(
                half.P99Ms / half.MedianMs,
                $"{half.Latencies}, at {half.PerSecond:N0} of {most:N0} /s; parse and verify alone: {without.Latencies}");
        };
    }
}
