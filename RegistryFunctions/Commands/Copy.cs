using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using RegistryFunctions.Settings;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Content;
using RegistryFunctions.Storage.Postgres;
using RegistryFunctions.Storage.Sqlite;

namespace RegistryFunctions.Commands;

/// <summary>Copies a registry to another database, of either kind, while a server uses it.</summary>
internal static class Copy
{
    /// <summary>Copies what the target lacks, verifies the target, says what was done, and returns the exit code.</summary>
    /// <exception cref="StoreOpenException">A side can't be opened, or the target holds something else.</exception>
    /// <exception cref="StoreException">It failed under way; it can be run again.</exception>
    public static async Task<int> RunAsync(RegistryOptions from, RegistryOptions to, CancellationToken cancellationToken)
    {
        var elapsed = Stopwatch.StartNew();
        (string source, string target) = (NameOf(from), NameOf(to));
        if (source == target)
        {
            throw new SettingException("--to: is the registry that is copied");
        }

        await using IRegistryContent content = PostgresAddress.Of(from.Db, from.DbPassword) is { } address
            ? await PostgresContent.OpenForReadingAsync(address)
            : SqliteContent.OpenForReading(from.Db);
        await using ICopyTarget copied = PostgresAddress.Of(to.Db, to.DbPassword) is { } targetAddress
            ? await PostgresContent.OpenForCopyingAsync(targetAddress, source)
            : SqliteContent.OpenForCopying(to.Db, source, NullLogger.Instance);
        var copy = new RegistryCopy(content, copied, cancellationToken);
        await Terminal.ShowProgressAsync("Copying", copy.CopyAsync);
        CopyResult result = await Terminal.ShowProgressAsync("Verifying", copy.VerifyAsync);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Copied {source} to {target}: {result.Bundles} bundles of {result.Devices} devices, all sound; {result.Written} devices written, {result.Removed} removed, in {elapsed.Elapsed.TotalSeconds:0.0} s"));
        return ExitCodes.Done;
    }

    // The name is kept in the target: without a password, and the same from any folder.
    private static string NameOf(RegistryOptions side) =>
        PostgresAddress.Of(side.Db, side.DbPassword)?.ToString() ?? Path.GetFullPath(side.Db);
}
