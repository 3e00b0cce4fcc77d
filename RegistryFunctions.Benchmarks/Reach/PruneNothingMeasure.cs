using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Benchmarks.Servers;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>A prune with nothing to drop, at two sizes.</summary>
internal sealed class PruneNothingMeasure : IMeasure
{
    private const double ReachMs = 10;

    // "No worse" within what a call over HTTP varies by.
    private const double NoWorseMs = 1;

    private const int CallsPerRound = 20;

    // Longer ago than any bundle was received.
    private const int RetentionDays = 60;

    public string Name => "prune-nothing";

    public async Task<Row> RunAsync(Bench bench)
    {
        Executable registry = await bench.Builds.LimitsAsync();
        string medium = await bench.Databases.WithAsync(Databases.Medium, Databases.DueInMedium);
        string large = await bench.Databases.WithAsync(Databases.Large);
        List<double> mediumMs = [], largeMs = [];
        for (int round = 1; round <= bench.Rounds; round++)
        {
            mediumMs.Add(await MedianMsAsync(registry, medium));
            largeMs.Add(await MedianMsAsync(registry, large));
            Bench.Log(this, $"round {round}: {mediumMs[^1]:N2} ms at 1 million, {largeMs[^1]:N2} ms at 2 million");
        }

        return new Row(
            "A prune with nothing due, 1 million bundles, and no worse at 2 million",
            $"≤ {ReachMs:N0} ms",
            $"{mediumMs.Median():N2} ms, {largeMs.Median():N2} ms at 2 million",
            $"{mediumMs.Min():N2}–{mediumMs.Max():N2} ms, {largeMs.Min():N2}–{largeMs.Max():N2} ms",
            mediumMs.Median() <= ReachMs && largeMs.Median() <= mediumMs.Median() + NoWorseMs);
    }

    private static async Task<double> MedianMsAsync(Executable registry, string db)
    {
        await using ServerProcess server = await ServerProcess.PruneOnDemand(registry, db, RetentionDays).ReadyAsync();
        await PruneCall.RunAsync(server, expected: 0);
        var calls = new List<double>();
        for (int i = 0; i < CallsPerRound; i++)
        {
            calls.Add((await PruneCall.RunAsync(server, expected: 0)).TotalMilliseconds);
        }

        return calls.Median();
    }
}
