using System.Diagnostics;
using System.Globalization;
using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Benchmarks.Limits;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Benchmarks.Reach;
using RegistryFunctions.Benchmarks.Servers;

namespace RegistryFunctions.Benchmarks.Calibration;

/// <summary>
/// Whether the load generator is as light as wrk: both load the same-bytes limit in turn. It shares the processors with
/// the server, so what it takes is missing there.
/// </summary>
internal sealed class CalibrationRun
{
    public required int Rounds { get; init; }

    public required int Seconds { get; init; }

    /// <summary>Measures; returns the exit code.</summary>
    public async Task<int> RunAsync()
    {
        Executable limits = await new Builds(Repository.Root(), server: null).LimitsAsync();
        SignedBundles stored = new Databases(Repository.DataFolder()).Stored(Databases.Small);
        await using ServerProcess server = await ServerProcess.Limit(limits, SameBytes.Name).ReadyAsync();
        byte[] body = await server.Client.GetByteArrayAsync(new Uri("/", UriKind.Relative));
        List<double> own = [], wrk = [];
        for (int round = 1; round <= Rounds; round++)
        {
            own.Add(await OwnAsync(server, new Fetches(stored) { SameBody = body }));
            wrk.Add(await WrkAsync(server));
            Console.WriteLine($"round {round}: {own[^1]:N0} /s, wrk {wrk[^1]:N0} /s");
        }

        IEnumerable<double> ratios = own.Zip(wrk, (own, wrk) => own / wrk);
        Console.WriteLine($"The server gives {ratios.Median():N2} of what it gives wrk ({ratios.Min():N2}–{ratios.Max():N2}).");
        return 0;
    }

    private async Task<double> OwnAsync(ServerProcess server, ITraffic traffic)
    {
        using var load = new LoadGenerator(server.Port, traffic);
        return (await load.RunAsync(Pace.Unlimited(), TimeSpan.FromSeconds(Seconds))).PerSecond;
    }

    private async Task<double> WrkAsync(ServerProcess server)
    {
        var start = new ProcessStartInfo(
            "wrk", ["-t1", "-c64", $"-d{Seconds}", $"http://127.0.0.1:{server.Port}/v0/keypackage/{new string('0', 64)}"])
        {
            RedirectStandardOutput = true,
        };
        using Process wrk = Process.Start(start)!;
        string output = await wrk.StandardOutput.ReadToEndAsync();
        string line = output.Split('\n').First(line => line.StartsWith("Requests/sec:", StringComparison.Ordinal));
        return double.Parse(line["Requests/sec:".Length..], CultureInfo.InvariantCulture);
    }
}
