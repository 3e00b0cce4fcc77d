using System.Diagnostics;

namespace RegistryFunctions.Benchmarks.Servers;

/// <summary>Something that can be started.</summary>
/// <param name="Path">The program.</param>
/// <param name="First">Arguments that come before all others.</param>
internal sealed record Executable(string Path, params string[] First)
{
    public ProcessStartInfo With(params string[] arguments) => new(Path, [.. First, .. arguments]);
}
