using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Benchmarks.Servers;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>Measures what the registry should reach and prints the table.</summary>
internal sealed class ReachRun
{
    private static readonly IMeasure[] Measures =
    [
        new RegisterMeasure(),
        new RetrieveMeasure(),
        new RetrieveAtSizeMeasure(),
        new RegisterAtSizeMeasure(),
        new PruneStallMeasure(),
        new PruneNothingMeasure(),
        new StartMeasure(),
        new WorkerStartMeasure(),
        new MemoryMeasure(),
        new TailMeasure(),
    ];

    private static readonly SoakMeasure SoakMeasure = new();

    /// <summary>The names of all measures.</summary>
    public static IEnumerable<string> Names => Measures.Select(measure => measure.Name);

    public required int Rounds { get; init; }

    public required int Seconds { get; init; }

    /// <summary>Names of what to measure; none for all.</summary>
    public required IReadOnlyCollection<string> Only { get; init; }

    /// <summary>Whether to see for ten minutes if memory stays flat.</summary>
    public required bool Soak { get; init; }

    /// <summary>A published executable to measure in place of one made from the sources.</summary>
    public required string? Server { get; init; }

    /// <summary>Measures; returns the exit code: 0, or 1 where answers were not as expected.</summary>
    public async Task<int> RunAsync()
    {
        string root = Repository.Root();
        var databases = new Databases(Repository.DataFolder());
        var bench = new Bench(new Builds(root, Server), databases)
        {
            Rounds = Rounds,
            Time = TimeSpan.FromSeconds(Seconds),
        };
        var rows = new List<Row>();
        databases.DeleteScratch();
        try
        {
            foreach (IMeasure measure in Chosen())
            {
                rows.Add(await measure.RunAsync(bench));
            }
        }
        catch (Exception e) when (e is UnexpectedAnswerException or IOException)
        {
            await Console.Error.WriteLineAsync($"Refused: {e.Message}");
            return 1;
        }
        finally
        {
            databases.DeleteScratch();
        }

        Console.WriteLine();
        Console.Write(Table.ToMarkdown(rows));
        if (Only.Count == 0)
        {
            Report.Write(rows, Rounds, Path.Combine(root, "RegistryFunctions.Benchmarks", "results"));
        }

        return 0;
    }

    private IEnumerable<IMeasure> Chosen()
    {
        IEnumerable<IMeasure> chosen = Measures.Where(measure => Only.Count == 0 || Only.Contains(measure.Name));
        return Soak ? chosen.Append(SoakMeasure) : chosen;
    }
}
