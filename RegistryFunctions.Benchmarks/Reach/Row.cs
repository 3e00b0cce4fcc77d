namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>A row of the table.</summary>
/// <param name="Measure">What is measured.</param>
/// <param name="Reach">What it should be.</param>
/// <param name="Measured">What it is: the median.</param>
/// <param name="Spread">From the least to the most of all rounds.</param>
/// <param name="IsMet">Whether it is within reach.</param>
internal sealed record Row(string Measure, string Reach, string Measured, string Spread, bool IsMet)
{
    /// <summary>Throughputs for the chart.</summary>
    public IReadOnlyList<ChartBar> Bars { get; init; } = [];
}
