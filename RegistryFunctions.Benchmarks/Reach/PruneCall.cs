using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Benchmarks.Servers;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>Fires the timer of a registry under a Functions host, as the host does.</summary>
internal static partial class PruneCall
{
    /// <summary>Prunes and waits for the answer; refuses one that dropped another number of bundles.</summary>
    public static async Task<TimeSpan> RunAsync(ServerProcess server, int expected)
    {
        using var body = new StringContent("{}", Encoding.UTF8, "application/json");
        var watch = Stopwatch.StartNew();
        using HttpResponseMessage response = await server.Client.PostAsync(new Uri("Prune", UriKind.Relative), body);
        string answer = await response.Content.ReadAsStringAsync();
        TimeSpan time = watch.Elapsed;
        Match dropped = Dropped().Match(answer);
        return response.IsSuccessStatusCode
            && dropped.Success
            && int.Parse(dropped.Groups[1].ValueSpan, CultureInfo.InvariantCulture) == expected
            ? time
            : throw new UnexpectedAnswerException($"A prune should have dropped {expected} bundles, but: {answer}");
    }

    [GeneratedRegex(@"Pruned (\d+) bundles")]
    private static partial Regex Dropped();
}
