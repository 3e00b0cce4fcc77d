using System.Buffers;
using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Benchmarks.Load;

/// <summary>Fetches the bundles of devices drawn at random. The answer must be 200 with that device's bundle.</summary>
internal sealed class Fetches(SignedBundles stored) : ITraffic
{
    // Every status and length is checked; comparing each body would cost the server its share of the machine.
    private const int ComparedOneIn = 64;

    private static readonly byte[] Template =
        HttpText.Of($"GET /v0/keypackage/{new string('0', 2 * DeviceId.Size)} HTTP/1.1\r\nHost: registry\r\n\r\n");

    private readonly ArrayBufferWriter<byte> _expected = new();
    private readonly int _bodyLength = BundleJson.EncodedLength(stored.BundleOf(0));
    private SplitMix64 _random = new((ulong)Environment.TickCount64);
    private int _answers;

    /// <summary>Where some may be pruned meanwhile: the number of the first that will not.</summary>
    public int First { get; init; }

    /// <summary>Where nothing is looked up: the one body of all answers.</summary>
    public byte[]? SameBody { get; init; }

    public Request WriteNext(Span<byte> buffer)
    {
        int bundle = First + _random.Below(stored.Count - First);
        Template.CopyTo(buffer);
        Convert.TryToHexStringLower(stored.DeviceOf(bundle), buffer["GET /v0/keypackage/".Length..], out _);
        return new Request(Template.Length, RequestKind.Read, bundle);
    }

    public bool IsExpected(in Request request, in Answer answer) =>
        answer.Status == 200
        && answer.Body.Length == _bodyLength
        && (++_answers % ComparedOneIn != 0 || answer.Body.SequenceEqual(SameBody ?? BodyOf(request.Bundle)));

    private ReadOnlySpan<byte> BodyOf(int bundle)
    {
        _expected.ResetWrittenCount();
        BundleJson.Write(stored.BundleOf(bundle), _expected);
        return _expected.WrittenSpan;
    }
}
