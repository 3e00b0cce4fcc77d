using System.Diagnostics;
using System.Globalization;
using RegistryFunctions.Settings;
using RegistryFunctions.Storage.Sqlite;

namespace RegistryFunctions.Commands;

/// <summary>Copies the database to a new file while a server uses it.</summary>
internal static class Backup
{
    /// <summary>Copies the database to <paramref name="file"/>, says what was done, and returns the exit code.</summary>
    /// <exception cref="SettingException">It is not in a file.</exception>
    public static int Run(RegistryOptions options, string file, CancellationToken cancellationToken)
    {
        if (DatabaseAttribute.KindOf(options.Db) == DatabaseKind.Postgres)
        {
            throw new SettingException("backup: copies SQLite's files: for PostgreSQL use pg_dump");
        }

        var elapsed = Stopwatch.StartNew();
        BackupContent content = Terminal.ShowProgress(
            "Backing up", progress => SqliteBackup.Copy(options.Db, file, progress, cancellationToken));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Backed up {content.Bundles} bundles to {file}: {content.Bytes} bytes in {elapsed.Elapsed.TotalSeconds:0.0} s"));
        return ExitCodes.Done;
    }
}
