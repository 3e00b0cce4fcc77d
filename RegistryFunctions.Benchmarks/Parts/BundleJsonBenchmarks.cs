using System.Buffers;
using BenchmarkDotNet.Attributes;
using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Benchmarks.Parts;

/// <summary>The wire form: a publication in, an answer out.</summary>
[MemoryDiagnoser]
public class BundleJsonBenchmarks
{
    private readonly ArrayBufferWriter<byte> _answer = new();
    private Bundle _bundle = null!;
    private byte[] _publication = null!;

    [GlobalSetup]
    public void Prepare()
    {
        SignedBundles bundles = SignedBundles.Load(Repository.DataFolder(), BundleSeries.Fresh, 1);
        _bundle = bundles.BundleOf(0);
        _publication = Publications.Body(bundles, 0);
    }

    [Benchmark]
    public bool TryRead() => BundleJson.TryRead(_publication, out _, out _);

    [Benchmark]
    public int Write()
    {
        _answer.ResetWrittenCount();
        BundleJson.Write(_bundle, _answer);
        return _answer.WrittenCount;
    }
}
