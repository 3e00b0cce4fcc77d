using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Benchmarks.Servers;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>Register into a large database against Register into an empty file.</summary>
internal sealed class RegisterAtSizeMeasure : IMeasure
{
    private const double Reach = 0.7;

    public string Name => "register-2m";

    public async Task<Row> RunAsync(Bench bench)
    {
        Executable registry = await bench.Builds.RegistryAsync();
        SignedBundles fresh = bench.FreshFor(measurements: bench.Rounds);
        // One copy and one series of publications for all rounds: it grows a little, and sees no bundle twice.
        string large = bench.Databases.CopyOf(await bench.Databases.WithAsync(Databases.Large));
        var growing = new Publications(fresh);

        Alternation turns = await Alternation.RunAsync(
            this,
            bench.Rounds,
            () => RegisterAsync(bench, registry, large, growing),
            () => RegisterAsync(bench, registry, bench.Databases.Empty(), new Publications(fresh)));
        Databases.Delete(large);
        return turns.ToRow("Register with 2 million bundles on disk, against an empty file", Reach) with
        {
            Bars = [new ChartBar("Register", "registry, 2 million bundles", turns.Subject.Median())],
        };
    }

    private static async Task<Throughput> RegisterAsync(
        Bench bench, Executable registry, string db, Publications publications)
    {
        await using ServerProcess server = await ServerProcess.Registry(registry, db).ReadyAsync();
        return await bench.ThroughputAsync(server, publications);
    }
}
