namespace RegistryFunctions.Benchmarks.Load;

/// <summary>What a load has measured.</summary>
/// <param name="PerSecond">Answers a second, all of them the expected ones.</param>
/// <param name="Reads">Latencies of fetches.</param>
/// <param name="Writes">Latencies of publications.</param>
internal sealed record LoadResult(double PerSecond, Latencies Reads, Latencies Writes);
