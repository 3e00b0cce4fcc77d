using Microsoft.Extensions.Logging.Abstractions;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Sqlite;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Endurance;

/// <summary>The write-ahead log, while far more is published than it should ever hold.</summary>
[Collection(Suite.Name)]
public sealed class LogGrowthTests : IDisposable
{
    private const int PayloadBytes = 48 * 1024;
    private const int Publishes = 40_000;
    private const int AtOnce = 64;

    // Of the 2 GB that are written.
    private const long LargestLog = 500_000_000;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory(Explicit = true)]
    [InlineData(0)]
    [InlineData(1)]
    public async Task The_log_is_begun_anew_under_load_whoever_else_has_the_file_open(int others)
    {
        await using SqliteBundleStore store = Open();
        SqliteBundleStore[] idle = [.. Enumerable.Range(0, others).Select(_ => Open())];
        VerifiedBundle bundle = new Device().Bundle(new byte[PayloadBytes]);
        foreach (SqliteBundleStore other in idle)
        {
            await other.FindNewestAsync(bundle.Device, CancellationToken.None);
        }

        Device[] devices = [.. Enumerable.Range(0, AtOnce).Select(_ => new Device())];
        await Parallel.ForAsync(0, Publishes, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (number, _) =>
        {
            byte[] payload = new byte[PayloadBytes];
            BitConverter.TryWriteBytes(payload, number);
            await store.PublishAsync(devices[number % AtOnce].Bundle(payload), CancellationToken.None);
            await store.FindNewestAsync(devices[number % AtOnce].Id, CancellationToken.None);
        });
        Assert.InRange(new FileInfo(SqliteFile.LogOf(_folder.File("registry.db"))).Length, 0, LargestLog);
        foreach (SqliteBundleStore other in idle)
        {
            await other.DisposeAsync();
        }
    }

    private SqliteBundleStore Open() => SqliteBundleStore.Open(
        new SqliteStoreOptions(_folder.File("registry.db"), new StoreOptions(Keep: 5, TimeSpan.FromDays(90))),
        TimeProvider.System,
        NullLogger.Instance);
}
