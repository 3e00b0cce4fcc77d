using System.Runtime.InteropServices;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>The files of a whole run: the table as Markdown, and the chart.</summary>
internal static class Report
{
    private const string ChartName = "reach.png";

    /// <summary>Writes both into the folder.</summary>
    public static void Write(IReadOnlyCollection<Row> rows, int rounds, string folder)
    {
        Directory.CreateDirectory(folder);
        Chart.Save(rows.SelectMany(row => row.Bars), Path.Combine(folder, ChartName));
        File.WriteAllText(Path.Combine(folder, "reach.md"), $"""
            Measured on {DateTime.UtcNow:yyyy-MM-dd} on {Processor()} with {Environment.ProcessorCount} cores, which the
            servers shared with their load; {RuntimeInformation.FrameworkDescription}, native. The median of {rounds} rounds.

            ![Answers a second]({ChartName})

            {Table.ToMarkdown(rows)}
            """);
    }

    private static string Processor() => File.ReadLines("/proc/cpuinfo")
        .Where(line => line.StartsWith("model name", StringComparison.Ordinal))
        .Select(line => line.Split(':')[1].Trim())
        .FirstOrDefault($"{RuntimeInformation.OSArchitecture}");
}
