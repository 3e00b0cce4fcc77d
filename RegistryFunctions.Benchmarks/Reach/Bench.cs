using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Benchmarks.Servers;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>What every measure works with.</summary>
internal sealed class Bench(Builds builds, Databases databases)
{
    private const int LikelyMostPerSecond = 20_000;

    /// <summary>How long a server is loaded before it is measured.</summary>
    public static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1);

    public Builds Builds { get; } = builds;

    public Databases Databases { get; } = databases;

    /// <summary>How often a measurement is repeated, the sides of a ratio taking turns.</summary>
    public required int Rounds { get; init; }

    /// <summary>How long one measurement takes.</summary>
    public required TimeSpan Time { get; init; }

    /// <summary>Says how far the run has come.</summary>
    public static void Log(IMeasure measure, string progress) => Console.WriteLine($"{measure.Name}: {progress}");

    /// <summary>More bundles to publish than a server can take in the time.</summary>
    public SignedBundles FreshFor(TimeSpan time) => Databases.Fresh((int)(LikelyMostPerSecond * time.TotalSeconds));

    /// <summary>More bundles to publish than a server can take in so many measurements.</summary>
    public SignedBundles FreshFor(int measurements) => FreshFor((WarmUp + Time) * measurements);

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
