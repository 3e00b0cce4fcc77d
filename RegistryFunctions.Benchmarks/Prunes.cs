using System.Diagnostics;

namespace RegistryFunctions.Benchmarks;

/// <summary>What a prune takes, and what it takes from others.</summary>
internal static class Prunes
{
    private const int LongestPrune = 120;

    // Of each kind. Moderate, at most 4,000 a second: what waits then waits for the prune, not for the load.
    private const int Connections = Wrk.Connections / 2;
    private const double PauseMs = 8;

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(LongestPrune) };

    /// <summary>How much longer the slowest read or write takes while a prune runs.</summary>
    public static async Task<Round> StallAsync(Bench bench)
    {
        string[] registry = await bench.LimitAsync("prune-on-demand");
        Database medium = await Database.WithAsync(Database.Medium, Database.DueInMedium);
        return async () =>
        {
            Requests publishes = Requests.PublishesFor(30);
            await using ServerProcess server = await ServerProcess.StartAsync(registry, medium.Copy());
            Task<Load[]> LoadAsync(int seconds, CancellationToken stop = default) => Task.WhenAll(
                Wrk.RunAsync(server, medium.Fetches, seconds, Connections, PauseMs, stop),
                Wrk.RunAsync(server, publishes, seconds, Connections, PauseMs, stop));

            await LoadAsync(Wrk.WarmUp);
            Load[] without = await LoadAsync(2 * bench.Seconds);
            using var stop = new CancellationTokenSource();
            Task<Load[]> loading = LoadAsync(LongestPrune, stop.Token);
            await Task.Delay(Second);
            Task<double> pruning = PruneMsAsync(server, Database.DueInMedium);
            await Task.WhenAny(pruning, loading);
            stop.CancelAfter(Second);
            Load[] with = await loading;
            return new Finding(
                with.Zip(without, (with, without) => with.LongestMs - without.LongestMs).Max(),
                $"reads {without[0].LongestMs:N1} → {with[0].LongestMs:N1} ms at {with[0].PerSecond:N0} /s, "
                + $"writes {without[1].LongestMs:N1} → {with[1].LongestMs:N1} ms at {with[1].PerSecond:N0} /s; "
                + $"it took {await pruning / 1_000:N1} s");
        };
    }

    /// <summary>A prune with nothing to drop, at two sizes.</summary>
    public static async Task<Round> NothingDueAsync(Bench bench)
    {
        string[] registry = await bench.LimitAsync("prune-on-demand");
        Database medium = await Database.WithAsync(Database.Medium, Database.DueInMedium);
        Database large = await Database.WithAsync(Database.Large);
        return async () =>
        {
            double[] ms = [await NothingDueMsAsync(registry, medium), await NothingDueMsAsync(registry, large)];
            return new Finding(ms.Max(), $"{ms[0]:N2} ms, {ms[1]:N2} ms at 2 million");
        };
    }

    private static async Task<double> NothingDueMsAsync(string[] registry, Database database)
    {
        // Longer ago than any bundle was received.
        await using ServerProcess server = await ServerProcess.StartAsync(registry, database.Path, retentionDays: 60);
        var calls = new List<double>();
        while (calls.Count < 20)
        {
            calls.Add(await PruneMsAsync(server, expected: 0));
        }

        return Measure.Median(calls);
    }

    private static async Task<double> PruneMsAsync(ServerProcess server, int expected)
    {
        long start = Stopwatch.GetTimestamp();
        using HttpResponseMessage response = await Http.PostAsync(new Uri(server.Url, "prune"), content: null);
        string answer = await response.Content.ReadAsStringAsync();
        return answer == $"{expected}" ? Stopwatch.GetElapsedTime(start).TotalMilliseconds
            : throw new IOException($"A prune should have dropped {expected} bundles, but: {answer}");
    }
}
