using System.Globalization;
using RegistryFunctions.Bundles;
using RegistryFunctions.Settings;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Content;
using RegistryFunctions.Storage.Postgres;
using RegistryFunctions.Storage.Sqlite;

namespace RegistryFunctions.Commands;

/// <summary>Looks for damage in a registry.</summary>
internal static class Check
{
    // How much is told of each kind of finding.
    private const int MostFindings = 20;

    /// <summary>Prints what is wrong with the database, the total last, and returns the exit code.</summary>
    public static async Task<int> RunAsync(RegistryOptions options, CancellationToken cancellationToken) =>
        PostgresAddress.Of(options.Db, options.DbPassword) is { } address
            ? await RunAsync(address, cancellationToken)
            : Run(options.Db, cancellationToken);

    private static int Run(string file, CancellationToken cancellationToken)
    {
        using var check = SqliteCheck.Open(file);
        IReadOnlyList<string> structure = Terminal.ShowProgress(
            "Checking the structure", _ => check.FindStructuralDamage(cancellationToken));
        CheckedRows rows = Terminal.ShowProgress(
            "Verifying signatures", progress => check.VerifyRows(progress, cancellationToken));
        long? devices = check.CountDevices(cancellationToken);
        check.RefuseChanged();
        return Tell(structure, rows, devices);
    }

    // The pages are PostgreSQL's affair: pg_amcheck looks at them.
    private static async Task<int> RunAsync(PostgresAddress address, CancellationToken cancellationToken)
    {
        await using PostgresContent content = await PostgresContent.OpenForReadingAsync(address);
        long stray = await content.CountStrayAsync(cancellationToken);
        (CheckedRows rows, long devices) = await Terminal.ShowProgressAsync(
            "Verifying signatures", progress => VerifyAsync(content, progress, cancellationToken));
        return Tell(stray > 0 ? [$"{stray} bundles are of devices that table device does not have"] : [], rows, devices);
    }

    private static async Task<(CheckedRows Rows, long Devices)> VerifyAsync(
        PostgresContent content, Action<double> progress, CancellationToken cancellationToken)
    {
        var rows = new CheckedRows(MostFindings);
        long devices = 0;
        DeviceId? last = null;
        while (await content.DevicesAfterAsync(last, cancellationToken) is [.., var next] page)
        {
            IReadOnlyList<DeviceContent> contents = await content.ReadAsync(page, cancellationToken);
            rows.Verify(CheckedRow.Of(contents), cancellationToken);
            devices += contents.Count(device => device.Held.Any());
            last = next;
            progress(content.ShareBefore(next));
        }

        return (rows, devices);
    }

    private static int Tell(IReadOnlyList<string> structure, CheckedRows rows, long? devices)
    {
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
            yield return "the structure of the database is damaged";
        }
    }
}
