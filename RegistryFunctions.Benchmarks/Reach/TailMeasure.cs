using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Benchmarks.Servers;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>How far the slow publications are from the usual ones at half of the most that the registry takes.</summary>
internal sealed class TailMeasure : IMeasure
{
    private const double Reach = 5;
    private const double ShareOfMost = 0.5;

    // A server that falls behind is not at half of what it can.
    private const double KeptPace = 0.98;

    public string Name => "tail";

    public async Task<Row> RunAsync(Bench bench)
    {
        Executable registry = await bench.Builds.RegistryAsync();
        SignedBundles fresh = bench.FreshFor(measurements: 2);
        var tails = new List<Tail>();
        for (int round = 1; round <= bench.Rounds; round++)
        {
            tails.Add(await MeasureAsync(bench, registry, fresh));
            Bench.Log(this, $"round {round}: {tails[^1]}");
        }

        Tail median = tails.OrderBy(tail => tail.Ratio).ElementAt((tails.Count - 1) / 2);
        return new Row(
            "p99 of Register at half of its maximum rate, against its median there",
            $"≤ {Reach:N0} ×",
            $"{median}",
            $"{tails.Min(tail => tail.Ratio):N1}–{tails.Max(tail => tail.Ratio):N1} ×",
            median.Ratio <= Reach);
    }

    private static async Task<Tail> MeasureAsync(Bench bench, Executable registry, SignedBundles fresh)
    {
        string db = bench.Databases.Empty();
        await using ServerProcess server = await ServerProcess.Registry(registry, db).ReadyAsync();
        using var load = new LoadGenerator(server.Port, new Publications(fresh));
        await load.RunAsync(Pace.Unlimited(), Bench.WarmUp);
        double rate = ShareOfMost * (await load.RunAsync(Pace.Unlimited(), bench.Time)).PerSecond;
        LoadResult half = await load.RunAsync(Pace.PerSecond(rate), bench.Time);
        return half.PerSecond >= KeptPace * rate
            ? new Tail(half.Writes, rate)
            : throw new UnexpectedAnswerException(
                $"The server answered {half.PerSecond:N0} of {rate:N0} publications a second, half of what it did before.");
    }

    private sealed record Tail(Latencies Latencies, double Rate)
    {
        public double Ratio => Latencies.PercentileMs(0.99) / Latencies.MedianMs;

        public override string ToString() =>
            $"{Ratio:N1} × (p99 {Latencies.PercentileMs(0.99):N2} ms, median {Latencies.MedianMs:N2} ms, "
            + $"most {Latencies.MaxMs:N1} ms, at {Rate:N0} /s)";
    }
}
