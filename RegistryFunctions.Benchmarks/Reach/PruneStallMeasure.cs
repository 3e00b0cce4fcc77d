using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Benchmarks.Servers;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>How much longer the slowest read or write takes while a prune runs.</summary>
internal sealed class PruneStallMeasure : IMeasure
{
    private const double ReachMs = 25;
    private const int RetentionDays = 30;
    private const int PublicationOneIn = 2;

    // Moderate: what waits then waits for the prune, not for the load.
    private const double ShareOfMost = 0.3;

    private static readonly TimeSpan BeforeAndAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPrune = TimeSpan.FromMinutes(2);

    public string Name => "prune-stall";

    public async Task<Row> RunAsync(Bench bench)
    {
        Executable registry = await bench.Builds.LimitsAsync();
        SignedBundles stored = bench.Databases.Stored(Databases.Medium);
        SignedBundles fresh = bench.FreshFor(measurements: 3);
        var stalls = new List<Stall>();
        for (int round = 1; round <= bench.Rounds; round++)
        {
            string db = bench.Databases.CopyOf(await bench.Databases.WithAsync(Databases.Medium, Databases.DueInMedium));
            stalls.Add(await MeasureAsync(bench, registry, db, stored, fresh));
            Databases.Delete(db);
            Bench.Log(this, $"round {round}: {stalls[^1]}");
        }

        Stall median = stalls.OrderBy(stall => stall.ExcessMs).ElementAt((stalls.Count - 1) / 2);
        return new Row(
            "Slowest read or write while a prune drops 200 thousand of 1 million bundles, above the same load without",
            $"≤ {ReachMs:N0} ms",
            $"{median}",
            $"{stalls.Min(stall => stall.ExcessMs):N1}–{stalls.Max(stall => stall.ExcessMs):N1} ms",
            median.ExcessMs <= ReachMs);
    }

    private static async Task<Stall> MeasureAsync(
        Bench bench, Executable registry, string db, SignedBundles stored, SignedBundles fresh)
    {
        var fetches = new Fetches(stored) { First = Databases.DueInMedium };
        var publications = new Publications(fresh);
        await using ServerProcess server = await ServerProcess.PruneOnDemand(registry, db, RetentionDays).ReadyAsync();
        using var load = new LoadGenerator(server.Port, new Mixture(fetches, publications, PublicationOneIn));

        await load.RunAsync(Pace.Unlimited(), Bench.WarmUp);
        double rate = ShareOfMost * (await load.RunAsync(Pace.Unlimited(), Bench.WarmUp)).PerSecond;
        await load.RunAsync(Pace.PerSecond(rate), Bench.WarmUp);
        LoadResult without = await load.RunAsync(Pace.PerSecond(rate), 2 * bench.Time);

        using var stop = new CancellationTokenSource();
        Task<LoadResult> with = load.RunAsync(Pace.PerSecond(rate), LongestPrune, stop.Token);
        await Task.Delay(BeforeAndAfter);
        TimeSpan prune = await PruneCall.RunAsync(server, Databases.DueInMedium);
        stop.CancelAfter(BeforeAndAfter);
        return new Stall(without, await with, rate, prune);
    }

    private sealed record Stall(LoadResult Without, LoadResult With, double Rate, TimeSpan Prune)
    {
        public double ExcessMs => double.Max(
            With.Reads.MaxMs - Without.Reads.MaxMs,
            With.Writes.MaxMs - Without.Writes.MaxMs);

        public override string ToString() =>
            $"{ExcessMs:N1} ms (reads {Without.Reads.MaxMs:N1} → {With.Reads.MaxMs:N1} ms, "
            + $"writes {Without.Writes.MaxMs:N1} → {With.Writes.MaxMs:N1} ms, "
            + $"at {Rate:N0} /s; the prune took {Prune.TotalSeconds:N1} s)";
    }
}
