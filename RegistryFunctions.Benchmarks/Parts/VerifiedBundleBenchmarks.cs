using BenchmarkDotNet.Attributes;
using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Benchmarks.Parts;

/// <summary>The signature.</summary>
[MemoryDiagnoser]
public class VerifiedBundleBenchmarks
{
    private Submission _submission = null!;

    [GlobalSetup]
    public void Prepare()
    {
        SignedBundles bundles = SignedBundles.Load(Repository.DataFolder(), BundleSeries.Fresh, 1);
        _submission = new Submission(new DeviceId(bundles.DeviceOf(0)), bundles.BundleOf(0));
    }

    [Benchmark]
    public bool TryVerify() => VerifiedBundle.TryVerify(_submission, out _);
}
