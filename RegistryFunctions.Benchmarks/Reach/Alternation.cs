namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>
/// Two throughputs measured in turn, round after round. What disturbs the machine disturbs both, so that the ratio of
/// a round holds where its throughputs do not.
/// </summary>
internal sealed record Alternation(IReadOnlyList<double> Subject, IReadOnlyList<double> Reference)
{
    private IEnumerable<double> Ratios => Subject.Zip(Reference, (subject, reference) => subject / reference);

    public static async Task<Alternation> RunAsync(
        IMeasure measure, int rounds, Func<Task<Throughput>> subject, Func<Task<Throughput>> reference)
    {
        List<double> subjects = [], references = [];
        for (int round = 1; round <= rounds; round++)
        {
            Throughput a = await subject();
            Throughput b = await reference();
            subjects.Add(a.PerSecond);
            references.Add(b.PerSecond);
            Bench.Log(measure, $"round {round}: {a} against {b}: {a.PerSecond / b.PerSecond:N2}");
        }

        return new Alternation(subjects, references);
    }

    /// <summary>The least and the most of all rounds.</summary>
    private string Spread => $"{Ratios.Min():N2}–{Ratios.Max():N2}";

    /// <summary>The row of a ratio that should be at least so large.</summary>
    public Row ToRow(string measure, double reach) => new(
        measure,
        $"≥ {reach:0.##}",
        $"{Ratios.Median():N2} ({Subject.Median():N0} of {Reference.Median():N0} /s)",
        Spread,
        Ratios.Median() >= reach);
}
