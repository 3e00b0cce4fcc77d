using System.Globalization;

namespace RegistryFunctions.Benchmarks;

/// <summary>Measures once.</summary>
internal delegate Task<Finding> Round();

/// <summary>What a round has found: a value to compare with the aim, what it comes from, throughputs for the chart.</summary>
internal sealed record Finding(double Value, string Details, params Bar[] Bars);

/// <summary>Something that the registry should reach: an aim such as "≤ 25 ms". Some have a number of rounds of their own.</summary>
internal sealed record Measure(
    string Name, string Title, string Aim, Func<Bench, Task<Round>> PrepareAsync, int? Rounds = null)
{
    /// <summary>The middle one, or the lower of two.</summary>
    public static double Median(IReadOnlyCollection<double> values) => values.Order().ElementAt((values.Count - 1) / 2);

    public async Task<(string Row, Bar[] Bars)> RunAsync(Bench bench)
    {
        Database.DeleteScratch();
        Round measureAsync = await PrepareAsync(bench);
        var findings = new List<Finding>();
        for (int round = 1; round <= (Rounds ?? bench.Rounds); round++)
        {
            findings.Add(await measureAsync());
            Console.WriteLine($"{Name}, round {round}: {findings[^1].Value:N2} ({findings[^1].Details})");
        }

        Database.DeleteScratch();
        findings.Sort((left, right) => left.Value.CompareTo(right.Value));
        Finding median = findings[(findings.Count - 1) / 2];
        string[] aim = Aim.Split(' ');
        string unit = string.Concat(aim.Skip(2).Select(unit => $" {unit}"));
        double distance = median.Value - double.Parse(aim[1], CultureInfo.InvariantCulture);
        string isMet = (aim[0] == "≥" ? distance : -distance) >= 0 ? "yes" : "**no**";
        return (
            $"| {Title} | {Aim} | {median.Value:N2}{unit} ({median.Details}) "
            + $"| {findings[0].Value:N2}–{findings[^1].Value:N2}{unit} | {isMet} |",
            median.Bars);
    }
}
