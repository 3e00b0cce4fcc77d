using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Benchmarks.Servers;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>Whether resident memory stays where it is under a load that lasts.</summary>
internal sealed class SoakMeasure : IMeasure
{
    private const int Minutes = 10;
    private const double Flat = 1.05;

    // As many publications as can be signed beforehand.
    private const int PublicationOneIn = 32;

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    public string Name => "soak";

    public async Task<Row> RunAsync(Bench bench)
    {
        Executable registry = await bench.Builds.RegistryAsync();
        string db = bench.Databases.CopyOf(await bench.Databases.WithAsync(Databases.Large));
        var fetches = new Fetches(bench.Databases.Stored(Databases.Large));
        var traffic = new Mixture(fetches, new Publications(bench.FreshFor(Minute)), PublicationOneIn);
        var megabytes = new List<double>();
        await using (ServerProcess server = await ServerProcess.Registry(registry, db).ReadyAsync())
        {
            using var load = new LoadGenerator(server.Port, traffic);
            for (int minute = 1; minute <= Minutes; minute++)
            {
                await load.RunAsync(Pace.Unlimited(), Minute);
                megabytes.Add(server.ResidentMegabytes());
                Bench.Log(this, $"{megabytes[^1]:N0} MB after {minute} min");
            }
        }

        Databases.Delete(db);
        double growth = megabytes.Skip(Minutes / 2).Max() / megabytes.Take(Minutes / 2).Max();
        return new Row(
            "Resident memory over ten minutes of Retrieve and Register, the most of the second five against the first",
            $"≤ {Flat:N2}",
            $"{growth:N2} ({megabytes[^1]:N0} MB at the end)",
            $"{megabytes.Min():N0}–{megabytes.Max():N0} MB",
            growth <= Flat);
    }
}
