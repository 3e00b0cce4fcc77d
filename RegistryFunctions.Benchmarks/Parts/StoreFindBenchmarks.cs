using BenchmarkDotNet.Attributes;
using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage.Sqlite;

namespace RegistryFunctions.Benchmarks.Parts;

/// <summary>Look-ups of devices drawn at random.</summary>
[MemoryDiagnoser]
public class StoreFindBenchmarks
{
    private readonly Databases _databases = new(Repository.DataFolder());
    private SignedBundles _stored = null!;
    private SqliteBundleStore _store = null!;
    private SplitMix64 _random = new(1);

    [GlobalSetup]
    public async Task OpenAsync()
    {
        _stored = _databases.Stored(Databases.Small);
        _store = Databases.Open(await _databases.WithAsync(Databases.Small), TimeProvider.System);
    }

    [GlobalCleanup]
    public async Task CloseAsync() => await _store.DisposeAsync();

    [Benchmark]
    public ValueTask<Bundle?> FindNewestAsync()
    {
        var device = new DeviceId(_stored.DeviceOf(_random.Below(_stored.Count)));
        return _store.FindNewestAsync(device, CancellationToken.None);
    }
}
