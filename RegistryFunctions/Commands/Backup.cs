using System.Diagnostics;
using System.Globalization;
using RegistryFunctions.Storage.Sqlite;

namespace RegistryFunctions.Commands;

/// <summary>Copies the database to a new file while a server uses it.</summary>
internal static class Backup
{
    /// <summary>Copies <paramref name="db"/> to <paramref name="file"/>, says what was done, and returns the exit code.</summary>
    public static int Run(string db, string file, CancellationToken cancellationToken)
    {
        var elapsed = Stopwatch.StartNew();
        BackupContent content = Terminal.ShowProgress(
            "Backing up", progress => SqliteBackup.Copy(db, file, progress, cancellationToken));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Backed up {content.Bundles} bundles to {file}: {content.Bytes} bytes in {elapsed.Elapsed.TotalSeconds:0.0} s"));
        return ExitCodes.Done;
    }
}
