using System.Diagnostics;
using System.Globalization;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Benchmarks.Servers;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>Asks a registry that prunes on demand.</summary>
internal static class PruneCall
{
    /// <summary>Prunes and waits for the answer; refuses one that dropped another number of bundles.</summary>
    public static async Task<TimeSpan> RunAsync(ServerProcess server, int expected)
    {
        var watch = Stopwatch.StartNew();
        using HttpResponseMessage response = await server.Client.PostAsync(new Uri("prune", UriKind.Relative), content: null);
        string answer = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode && answer == expected.ToString(CultureInfo.InvariantCulture)
            ? watch.Elapsed
            : throw new UnexpectedAnswerException($"A prune should have dropped {expected} bundles, but: {answer}");
    }
}
