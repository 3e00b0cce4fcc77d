namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>A throughput in the chart.</summary>
/// <param name="Function">What was asked.</param>
/// <param name="Server">Who answered.</param>
/// <param name="PerSecond">Answers a second.</param>
internal sealed record ChartBar(string Function, string Server, double PerSecond)
{
    /// <summary>Whether it is of a limit, not of the registry.</summary>
    public bool IsLimit { get; init; }
}
