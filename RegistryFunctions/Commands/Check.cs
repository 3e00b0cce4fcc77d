using System.Globalization;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Sqlite;

namespace RegistryFunctions.Commands;

/// <summary>Looks for damage in the file of a registry.</summary>
internal static class Check
{
    /// <summary>Prints what is wrong with <paramref name="file"/>, the total last, and returns the exit code.</summary>
    public static int Run(string file, CancellationToken cancellationToken)
    {
        using var check = SqliteCheck.Open(file);
        IReadOnlyList<string> structure = Terminal.ShowProgress(
            "Checking the structure", _ => check.FindStructuralDamage(cancellationToken));
        CheckedRows rows = Terminal.ShowProgress(
            "Verifying signatures", progress => check.VerifyRows(progress, cancellationToken));
        long? devices = check.CountDevices(cancellationToken);
        check.RefuseChanged();

        foreach (string finding in structure)
        {
            Console.WriteLine($"structure: {finding}");
        }

        foreach (string finding in rows.Findings)
        {
            Console.WriteLine(finding);
        }

        if (rows.Damaged > rows.Findings.Count)
        {
            Console.WriteLine($"and {rows.Damaged - rows.Findings.Count} more");
        }

        string[] wrong = [.. WrongWith(structure, rows, devices)];
        string known = devices?.ToString(CultureInfo.InvariantCulture) ?? "unknown";
        Console.WriteLine(
            $"{rows.Count} bundles of {known} devices: {(wrong.Length == 0 ? "all sound" : string.Join("; ", wrong))}");
        return wrong.Length == 0 ? ExitCodes.Done : ExitCodes.Failed;
    }

    private static IEnumerable<string> WrongWith(IReadOnlyList<string> structure, CheckedRows rows, long? devices)
    {
        if (rows.Damaged > 0)
        {
            yield return $"{rows.Damaged} damaged";
        }

        if (rows.Unreadable is not null)
        {
            yield return $"what follows row {rows.LastSeq} can't be read ({rows.Unreadable})";
        }

        if (structure.Count > 0 || devices is null)
        {
            yield return "the structure of the file is damaged";
        }
    }
}
