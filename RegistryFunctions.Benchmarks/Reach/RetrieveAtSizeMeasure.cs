using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Benchmarks.Servers;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>Retrieve out of a large database against Retrieve out of a small one.</summary>
internal sealed class RetrieveAtSizeMeasure : IMeasure
{
    private const double Reach = 0.9;

    public string Name => "retrieve-2m";

    public async Task<Row> RunAsync(Bench bench)
    {
        Executable registry = await bench.Builds.RegistryAsync();
        Alternation turns = await Alternation.RunAsync(
            this,
            bench.Rounds,
            () => RetrieveAsync(bench, registry, Databases.Large),
            () => RetrieveAsync(bench, registry, Databases.Small));
        return turns.ToRow("Retrieve with 2 million bundles on disk, against 20 thousand", Reach) with
        {
            Bars = [new ChartBar("Retrieve", "registry, 2 million bundles", turns.Subject.Median())],
        };
    }

    private static async Task<Throughput> RetrieveAsync(Bench bench, Executable registry, int count)
    {
        string db = await bench.Databases.WithAsync(count);
        await using ServerProcess server = await ServerProcess.Registry(registry, db).ReadyAsync();
        return await bench.ThroughputAsync(server, new Fetches(bench.Databases.Stored(count)));
    }
}
