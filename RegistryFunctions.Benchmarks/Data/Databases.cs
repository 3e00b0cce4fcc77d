using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Sqlite;

namespace RegistryFunctions.Benchmarks.Data;

/// <summary>
/// Databases of the stored bundles, one bundle a device. Built through the store once and kept: what writes to one
/// must take a copy.
/// </summary>
internal sealed class Databases(string folder)
{
    private const int KeptPerDevice = 5;
    private const int InFlight = 1_024;

    /// <summary>A registry of a small community.</summary>
    public const int Small = 20_000;

    /// <summary>A registry that has something to prune.</summary>
    public const int Medium = 1_000_000;

    /// <summary>How many of <see cref="Medium"/> are due where bundles are kept for 30 days.</summary>
    public const int DueInMedium = 200_000;

    /// <summary>A registry that does not fit into small caches.</summary>
    public const int Large = 2_000_000;

    // What was received today must not come due while the file is kept.
    private static readonly TimeSpan KeptFor = TimeSpan.FromDays(10);
    private static readonly TimeSpan DueAge = TimeSpan.FromDays(40);

    // Not its version: while it is being worked on, that stays the same.
    private static readonly string SchemaHash = Convert.ToHexStringLower(
        SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(SqliteSchema.Migrations))).AsSpan(0, 4));

    private readonly string _scratch = Path.Combine(folder, "scratch");
    private int _copies;

    /// <summary>Bundles of devices that are in the databases: of the first n in one of n.</summary>
    public SignedBundles Stored(int count) => SignedBundles.Load(folder, BundleSeries.Stored, count);

    /// <summary>Bundles of devices that are in none.</summary>
    public SignedBundles Fresh(int count) => SignedBundles.Load(folder, BundleSeries.Fresh, count);

    /// <summary>
    /// A database of <paramref name="count"/> bundles, the oldest <paramref name="due"/> of them received 40 days ago,
    /// the others lately. Only to be read.
    /// </summary>
    public async Task<string> WithAsync(int count, int due = 0)
    {
        Directory.CreateDirectory(folder);
        string name = string.Create(CultureInfo.InvariantCulture, $"bundles-{count}-due-{due}-schema-");
        string path = Path.Combine(folder, $"{name}{SchemaHash}.db");
        if (DateTime.UtcNow - File.GetLastWriteTimeUtc(path) > KeptFor)
        {
            foreach (string older in Directory.EnumerateFiles(folder, $"{name}*"))
            {
                File.Delete(older);
            }

            await BuildAsync(path, Stored(count), due);
        }

        await ReadAsync(path);
        return path;
    }

    /// <summary>A copy to write to, durable already: what is measured next must not wait for its disk.</summary>
    public string CopyOf(string path)
    {
        string copy = Empty();
        File.Copy(path, copy);
        using FileStream file = File.OpenWrite(copy);
        file.Flush(flushToDisk: true);
        return copy;
    }

    /// <summary>Opens a database as the registry does.</summary>
    public static SqliteBundleStore Open(string path, TimeProvider time) => SqliteBundleStore.Open(
        new SqliteStoreOptions(path, new StoreOptions(KeptPerDevice, ReplayWindow: TimeSpan.FromDays(90))),
        time,
        NullLogger<SqliteBundleStore>.Instance);

    /// <summary>A path where there is no database yet.</summary>
    public string Empty()
    {
        Directory.CreateDirectory(_scratch);
        return Path.Combine(_scratch, string.Create(CultureInfo.InvariantCulture, $"{_copies++}.db"));
    }

    /// <summary>Removes a database that was written to.</summary>
    public static void Delete(string path)
    {
        foreach (string suffix in (ReadOnlySpan<string>)["", "-wal", "-shm"])
        {
            File.Delete(path + suffix);
        }
    }

    /// <summary>Removes all copies, also those of a run that was broken off.</summary>
    public void DeleteScratch()
    {
        if (Directory.Exists(_scratch))
        {
            Directory.Delete(_scratch, recursive: true);
        }
    }

    private static async Task BuildAsync(string path, SignedBundles bundles, int due)
    {
        Console.WriteLine($"building a database of {bundles.Count:N0} bundles, kept for later runs …");
        var watch = Stopwatch.StartNew();
        string growing = path + ".new";
        Delete(growing);
        await FillAsync(growing, bundles, 0, due, new Clock(DueAge));
        await FillAsync(growing, bundles, due, bundles.Count, new Clock(TimeSpan.Zero));
        File.Move(growing, path, overwrite: true);
        Console.WriteLine($"built in {watch.Elapsed.TotalSeconds:N0} s");
    }

    private static async Task FillAsync(string path, SignedBundles bundles, int from, int to, TimeProvider time)
    {
        await using SqliteBundleStore store = Open(path, time);
        // As many at once as fill the store's batches.
        var many = new ParallelOptions { MaxDegreeOfParallelism = InFlight };
        await Parallel.ForAsync(from, to, many, async (number, cancellationToken) =>
            await store.PublishAsync(bundles.VerifiedOf(number), cancellationToken));
    }

    // Brings the file into the page cache, so that no measurement pays for the disk and the next does not.
    private static async Task ReadAsync(string path)
    {
        await using FileStream file = File.OpenRead(path);
        await file.CopyToAsync(Stream.Null);
    }

    private sealed class Clock(TimeSpan behind) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() - behind;
    }
}
