namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>The most that a server gave.</summary>
/// <param name="PerSecond">Answers a second.</param>
/// <param name="ProcessorTime">What each answer took of the processors, which a busy machine disturbs less.</param>
internal sealed record Throughput(double PerSecond, TimeSpan ProcessorTime)
{
    public override string ToString() => $"{PerSecond:N0} /s ({ProcessorTime.TotalMicroseconds:N1} µs of processor each)";
}
