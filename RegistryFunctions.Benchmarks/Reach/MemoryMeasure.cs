using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Benchmarks.Servers;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>Resident memory after a minute of each load.</summary>
internal sealed class MemoryMeasure : IMeasure
{
    private const double ReachMegabytes = 120;

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    public string Name => "memory";

    public async Task<Row> RunAsync(Bench bench)
    {
        Executable registry = await bench.Builds.RegistryAsync();
        string large = await bench.Databases.WithAsync(Databases.Large);
        double register = await AfterAMinuteAsync(
            registry, bench.Databases.Empty(), new Publications(bench.FreshFor(Minute)));
        Bench.Log(this, $"{register:N0} MB after a minute of Register");
        double retrieve = await AfterAMinuteAsync(
            registry, large, new Fetches(bench.Databases.Stored(Databases.Large)));
        Bench.Log(this, $"{retrieve:N0} MB after a minute of Retrieve");
        return new Row(
            "Resident memory after a minute of each load",
            $"≤ {ReachMegabytes:N0} MB",
            $"{double.Max(register, retrieve):N0} MB",
            $"Register {register:N0} MB, Retrieve of 2 million {retrieve:N0} MB",
            double.Max(register, retrieve) <= ReachMegabytes);
    }

    private static async Task<double> AfterAMinuteAsync(Executable registry, string db, ITraffic traffic)
    {
        await using ServerProcess server = await ServerProcess.Registry(registry, db).ReadyAsync();
        using var load = new LoadGenerator(server.Port, traffic);
        await load.RunAsync(Pace.Unlimited(), Minute);
        return server.ResidentMegabytes();
    }
}
