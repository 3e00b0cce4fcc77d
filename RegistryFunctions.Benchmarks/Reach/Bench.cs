using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Benchmarks.Servers;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>What every measure works with.</summary>
internal sealed class Bench(Builds builds, Databases databases)
{
    private const int LikelyMost = 20_000;

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1);

    public Builds Builds { get; } = builds;

    public Databases Databases { get; } = databases;

    /// <summary>How often the two sides of a ratio take turns.</summary>
    public required int Rounds { get; init; }

    /// <summary>How long one measurement takes.</summary>
    public required TimeSpan Time { get; init; }

    /// <summary>More bundles than a server can take in one measurement.</summary>
    public int PublicationsPerMeasurement => (int)(LikelyMost * (WarmUp + Time).TotalSeconds);

    /// <summary>Says how far the run has come.</summary>
    public static void Log(IMeasure measure, string progress) => Console.WriteLine($"{measure.Name}: {progress}");

    /// <summary>The most answers a second that a server gives, after a moment to warm up.</summary>
    public async Task<Throughput> ThroughputAsync(ServerProcess server, ITraffic traffic)
    {
        using var load = new LoadGenerator(server.Port, traffic);
        await load.RunAsync(Pace.Unlimited(), WarmUp);
        TimeSpan before = server.ProcessorTime();
        LoadResult result = await load.RunAsync(Pace.Unlimited(), Time);
        TimeSpan spent = server.ProcessorTime() - before;
        return new Throughput(result.PerSecond, spent / (result.PerSecond * Time.TotalSeconds));
    }
}
