using BenchmarkDotNet.Attributes;
using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage.Sqlite;

namespace RegistryFunctions.Benchmarks.Parts;

/// <summary>Durable publications, as many at once as a load has connections.</summary>
[MemoryDiagnoser]
[SimpleJob(warmupCount: WarmUps, iterationCount: Iterations, invocationCount: Invocations)]
public class StorePublishBenchmarks
{
    private const int WarmUps = 3;
    private const int Iterations = 10;
    private const int Invocations = 64;
    private const int AtOnce = 64;

    // For all iterations and what runs before them: no bundle is published twice.
    private const int Publications = 2 * (WarmUps + Iterations) * Invocations * AtOnce;

    private readonly Databases _databases = new(Repository.DataFolder());
    private readonly Task[] _publishing = new Task[AtOnce];
    private VerifiedBundle[] _bundles = null!;
    private string _path = "";
    private SqliteBundleStore _store = null!;
    private int _next;

    [GlobalSetup]
    public void Open()
    {
        SignedBundles signed = _databases.Fresh(Publications);
        _bundles = new VerifiedBundle[Publications];
        Parallel.For(0, Publications, i => _bundles[i] = signed.VerifiedOf(i));
        _path = _databases.Empty();
        _store = Databases.Open(_path, TimeProvider.System);
    }

    [GlobalCleanup]
    public async Task CloseAsync()
    {
        await _store.DisposeAsync();
        Databases.Delete(_path);
    }

    [Benchmark(OperationsPerInvoke = AtOnce)]
    public Task PublishAsync()
    {
        for (int i = 0; i < AtOnce; i++)
        {
            _publishing[i] = _store.PublishAsync(_bundles[_next++], CancellationToken.None).AsTask();
        }

        return Task.WhenAll(_publishing);
    }
}
