using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Benchmarks.Limits;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Benchmarks.Servers;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>Register, durable before its 204, against the same without a store.</summary>
internal sealed class RegisterMeasure : IMeasure
{
    private const double Reach = 0.75;

    public string Name => "register";

    public async Task<Row> RunAsync(Bench bench)
    {
        Executable registry = await bench.Builds.RegistryAsync();
        Executable limits = await bench.Builds.LimitsAsync();
        SignedBundles fresh = bench.FreshFor(measurements: 1);

        Alternation turns = await Alternation.RunAsync(
            this,
            bench.Rounds,
            async () =>
            {
                string db = bench.Databases.Empty();
                await using ServerProcess server = await ServerProcess.Registry(registry, db).ReadyAsync();
                return await bench.ThroughputAsync(server, new Publications(fresh));
            },
            async () =>
            {
                await using ServerProcess server = await ServerProcess.Limit(limits, ParseAndVerify.Name).ReadyAsync();
                return await bench.ThroughputAsync(server, new Publications(fresh) { MayRepeat = true });
            });
        return turns.ToRow("Register, durable before 204, against parse and verify alone", Reach) with
        {
            Bars =
            [
                new ChartBar("Register", "limit: parse and verify alone", turns.Reference.Median()) { IsLimit = true },
                new ChartBar("Register", "registry", turns.Subject.Median()),
            ],
        };
    }
}
