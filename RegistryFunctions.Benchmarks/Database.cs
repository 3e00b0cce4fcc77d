using Microsoft.Extensions.Logging.Abstractions;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Sqlite;

namespace RegistryFunctions.Benchmarks;

/// <summary>A database of one bundle a device, and fetches of them. What writes to it must take a copy.</summary>
internal sealed record Database(string Path, Requests Fetches)
{
    public const int Small = 20_000;
    public const int Medium = 1_000_000;
    public const int DueInMedium = 200_000;
    public const int Large = 2_000_000;

    // What was received today must not come due while the file is kept.
    private static readonly TimeSpan KeptFor = TimeSpan.FromDays(10);
    private static readonly string Schema = Repository.File("RegistryFunctions", "Storage", "Sqlite", "SqliteSchema.cs");
    private static readonly string Scratch = System.IO.Path.Combine(Requests.Folder, "scratch");

    /// <summary>
    /// A database of so many devices, built through the store once and kept. The bundles of those that are due were received
    /// 40 days ago and are not fetched.
    /// </summary>
    public static async Task<Database> WithAsync(int count, int due = 0)
    {
        string path = System.IO.Path.Combine(Requests.Folder, $"bundles-{count}-due-{due}.db");
        string fetches = $"{path}-fetches";
        DateTime written = File.GetLastWriteTimeUtc(path);
        if (written < DateTime.UtcNow - KeptFor || written < File.GetLastWriteTimeUtc(Schema))
        {
            Console.WriteLine($"building a database of {count:N0} bundles, kept for later runs …");
            string growing = Empty();
            await FillAsync(growing, due, TimeSpan.FromDays(40));
            Requests.WriteFetches(fetches, await FillAsync(growing, count - due));
            File.Move(growing, path, overwrite: true);
        }

        // Into the page cache, so that no measurement pays for the disk and the next does not.
        await using FileStream file = File.OpenRead(path);
        await file.CopyToAsync(Stream.Null);
        return new Database(path, Requests.Fetches(fetches));
    }

    /// <summary>A copy to write to, durable already: what is measured next must not wait for its disk.</summary>
    public string Copy()
    {
        string copy = Empty();
        File.Copy(Path, copy);
        using FileStream file = File.OpenWrite(copy);
        file.Flush(flushToDisk: true);
        return copy;
    }

    /// <summary>A path where there is no database yet.</summary>
    public static string Empty() => System.IO.Path.Combine(Directory.CreateDirectory(Scratch).FullName, $"{Guid.NewGuid()}.db");

    /// <summary>Removes all copies, also those of a run that was broken off.</summary>
    public static void DeleteScratch() => Directory.CreateDirectory(Scratch).Delete(recursive: true);

    public static async Task<long> CountAsync(string path)
    {
        await using SqliteBundleStore store = Open(path);
        return (await store.CountReceivedBeforeAsync(DateTimeOffset.MaxValue, CancellationToken.None)).Count;
    }

    private static async Task<string[]> FillAsync(string path, int count, TimeSpan age = default)
    {
        await using SqliteBundleStore store = Open(path, age);
        string[] devices = new string[count];
        // As many at once as fill the store's batches.
        var many = new ParallelOptions { MaxDegreeOfParallelism = 1_024 };
        await Parallel.ForAsync(0, count, many, async (number, cancellationToken) =>
        {
            var device = new Device();
            devices[number] = device.Hex;
            VerifiedBundle bundle = device.Bundle(Device.RandomPayload());
            device.Erase();
            await store.PublishAsync(bundle, cancellationToken);
        });
        return devices;
    }

    private static SqliteBundleStore Open(string path, TimeSpan age = default) => SqliteBundleStore.Open(
        new SqliteStoreOptions(path, new StoreOptions(Keep: 5, TimeSpan.FromDays(90))), new Clock(age), NullLogger.Instance);

    private sealed class Clock(TimeSpan behind) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() - behind;
    }
}
