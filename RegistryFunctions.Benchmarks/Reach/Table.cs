using System.Text;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>The table, as Markdown.</summary>
internal static class Table
{
    public static string ToMarkdown(IEnumerable<Row> rows)
    {
        var text = new StringBuilder()
            .Append("| measure | reach | measured | spread | met |\n")
            .Append("| --- | --- | --- | --- | --- |\n");
        foreach (Row row in rows)
        {
            string met = row.IsMet ? "yes" : "**no**";
            text.Append($"| {row.Measure} | {row.Reach} | {row.Measured} | {row.Spread} | {met} |\n");
        }

        return text.ToString();
    }
}
