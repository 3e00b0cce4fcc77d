using System.CommandLine;

namespace RegistryFunctions.Benchmarks;

/// <summary>The command line, and what the registry should reach.</summary>
internal static class Program
{
    private static readonly Measure[] Measures =
    [
        new("register", "Register, durable before 204, against parse and verify alone", "≥ 0.62", Throughput.RegisterAsync),
        new("retrieve", "Retrieve at random, against Kestrel answering the same bytes", "≥ 0.7", Throughput.RetrieveAsync),
        new("register-2m", "Register with 2 million bundles on disk, against 20 thousand", "≥ 0.75", Throughput.RegisterAtSizeAsync),
        new("retrieve-2m", "Retrieve with 2 million bundles on disk, against 20 thousand", "≥ 0.75", Throughput.RetrieveAtSizeAsync),
        new("tail", "p99 of Register at half of its maximum rate, against its median there", "≤ 5 ×", Tail.PrepareAsync),
        new("prune-stall", "Slowest answer while 200 thousand of 1 million bundles are pruned, above that of the same load without",
            "≤ 25 ms", Prunes.StallAsync),
        new("prune-nothing", "Prune with nothing due, the slower of 1 and 2 million bundles", "≤ 1 ms", Prunes.NothingDueAsync),
        new("start", "Start of the native executable to its first 204, against JIT", "≤ 0.2", Starts.NativeAsync),
        new("worker-start", "Start of the worker to its first 204, ready-to-run against JIT", "≤ 1", Starts.WorkerAsync),
        new("memory", "Resident memory after a minute of load", "≤ 110 MB", Memory.MinuteAsync, Rounds: 1),
        new("soak", "Most memory in the last five of ten minutes of load, against the first", "≤ 1.05", Memory.SoakAsync, Rounds: 1),
    ];

    public static Task<int> Main(string[] args)
    {
        string[] names = [.. Measures.Select(measure => measure.Name)];
        Option<int> rounds = new("--rounds") { DefaultValueFactory = _ => 3, Description = "Repeats; the median counts" };
        Option<int> seconds = new("--seconds") { DefaultValueFactory = _ => 5, Description = "How long one measurement takes" };
        Option<string?> only = new("--only") { Description = $"Measure only these, and write no files, for reach of: {string.Join(",", names)}" };
        Option<bool> soak = new("--soak") { Description = "Also see for ten minutes whether memory stays flat" };
        Option<string?> server = new("--server") { Description = "Measure this published executable" };
        var reach = new Command(
            "reach",
            "Loads the registry and the limit servers in turn with wrk, prints how near the registry is to the limits, and writes "
            + "that to RegistryFunctions.Benchmarks/results. What it needs is built and kept in artifacts/, in bench-data 5 GB of "
            + "data; delete that to have it made anew.") { rounds, seconds, only, soak, server };
        reach.SetAction((parsed, _) => RunAsync(
            new Bench(parsed.GetValue(server), parsed.GetValue(rounds), parsed.GetValue(seconds)),
            "reach",
            Measures,
            [.. parsed.GetValue(only)?.Split(',') ?? names[..^1], .. parsed.GetValue(soak) ? names[^1..] : []]));
        Argument<string> url = new("url") { Description = "An empty PostgreSQL database" };
        var postgres = new Command(
            "postgres",
            "Loads one, two and four instances on a PostgreSQL database, and pgbench with the same statements; as reach does. Needs "
            + "pgbench, and to hold instances to a share of a processor Linux's cgroups and root.") { url, rounds, seconds, only, server };
        postgres.SetAction((parsed, _) =>
        {
            Measure[] measures = new Instances(parsed.GetRequiredValue(url)).Measures;
            return RunAsync(
                new Bench(parsed.GetValue(server), parsed.GetValue(rounds), parsed.GetValue(seconds)),
                "postgres",
                measures,
                parsed.GetValue(only)?.Split(',') ?? [.. measures.Select(measure => measure.Name)]);
        });
        var root = new RootCommand("Measures how fast the registry is. Run it on a machine that does nothing else.") { reach, postgres };
        // A signal ends the program at once; there is nothing to save.
        return root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
    }

    // Returns the exit code: 0, 1 where an answer was not the expected one, 2 where it can't begin.
    private static async Task<int> RunAsync(Bench bench, string file, Measure[] measures, string[] names)
    {
        string? unknown = names.FirstOrDefault(name => measures.All(measure => measure.Name != name));
        string? refusal = unknown is not null ? $"--only: there is no {unknown}"
            : bench is not { Rounds: > 0, Seconds: > 0 } ? "--rounds and --seconds must be at least 1"
            : Wrk.IsInstalled ? null : "wrk, which puts the load on, is not installed: apt-get install wrk";
        if (refusal is not null)
        {
            await Console.Error.WriteLineAsync($"Refused: {refusal}");
            return 2;
        }

        try
        {
            var results = new List<(string Row, Bar[] Bars)>();
            foreach (Measure measure in measures.Where(measure => names.Contains(measure.Name)))
            {
                results.Add(await measure.RunAsync(bench));
            }

            // All but a soak.
            Report.Write(results, bench.Rounds, results.Count >= measures.Length - 1 ? file : null);
            return 0;
        }
        catch (IOException e)
        {
            await Console.Error.WriteLineAsync($"Refused: {e.Message}");
            return 1;
        }
    }
}
