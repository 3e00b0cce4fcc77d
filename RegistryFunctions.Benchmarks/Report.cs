using System.Runtime.InteropServices;

namespace RegistryFunctions.Benchmarks;

/// <summary>A throughput in the chart, in answers a second.</summary>
internal sealed record Bar(string Name, double PerSecond, bool IsLimit);

/// <summary>What a run has found, as Markdown and as a picture.</summary>
internal static class Report
{
    private const int Left = 290, Width = 600, Step = 28;

    /// <summary>Prints the table; a whole run's goes to files of that name as well.</summary>
    public static void Write(IReadOnlyCollection<(string Row, Bar[] Bars)> results, int rounds, string? file)
    {
        string table = string.Join('\n', results.Select(result => result.Row).Prepend(
            "| measure | aim | measured | spread | met |\n| --- | --- | --- | --- | --- |"));
        Console.WriteLine($"\n{table}");
        if (file is not null)
        {
            string folder = Directory.CreateDirectory(Repository.File("RegistryFunctions.Benchmarks", "results")).FullName;
            Bar[] bars = [.. results.SelectMany(result => result.Bars).DistinctBy(bar => bar.Name).OrderBy(bar => bar.Name)];
            File.WriteAllText(Path.Combine(folder, $"{file}.svg"), Chart(bars));
            File.WriteAllText(Path.Combine(folder, $"{file}.md"), $"""
                Measured on {DateTime.UtcNow:yyyy-MM-dd} on {Processor()} with {Environment.ProcessorCount} cores, which the
                servers shared with their load; {RuntimeInformation.FrameworkDescription}, native. The median of {rounds} rounds.

                ![Answers a second, {Wrk.Connections} connections]({file}.svg)

                {table}

                """);
        }
    }

    private static string Chart(Bar[] bars) => $"""
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 {Step * (bars.Length + 1) + 8}" font-family="sans-serif" font-size="14">
        <rect width="100%" height="100%" fill="white"/>
        <text x="{Left}" y="19" font-weight="bold">Answers a second, {Wrk.Connections} connections</text>
        {string.Join('\n', bars.Select((bar, i) => Draw(bar, Step * (i + 1), Width * bar.PerSecond / bars.Max(bar => bar.PerSecond))))}
        </svg>

        """;

    private static string Draw(Bar bar, int top, double width) => $"""
        <text x="{Left - 8}" y="{top + 19}" text-anchor="end">{bar.Name}</text>
        <rect x="{Left}" y="{top + 3}" width="{width:0}" height="{Step - 6}" fill="{(bar.IsLimit ? "#b4bac2" : "#2f6db5")}"/>
        <text x="{Left + width + 6:0}" y="{top + 19}">{bar.PerSecond:N0}</text>
        """;

    private static string Processor() => File.ReadLines("/proc/cpuinfo")
        .FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim()
        ?? $"{RuntimeInformation.OSArchitecture}";
}
