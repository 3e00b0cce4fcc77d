using System.Buffers.Text;
using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Benchmarks.Load;

/// <summary>Publishes bundles one after the other, none twice. The answer must be 204.</summary>
internal sealed class Publications(SignedBundles bundles) : ITraffic
{
    private const int PayloadText = (SignedBundles.PayloadSize + 2) / 3 * 4;
    private const int SignatureText = (Signature.Size + 2) / 3 * 4;

    private static readonly int BodyLength =
        """{"device_id":"","payload":"","signature":""}""".Length + 2 * DeviceId.Size + PayloadText + SignatureText;

    private static readonly byte[] Head = HttpText.Of(
        "POST /v0/keypackage HTTP/1.1\r\nHost: registry\r\n"
        + $"Content-Type: application/json\r\nContent-Length: {BodyLength}\r\n\r\n");

    private int _next;

    /// <summary>Where nothing is stored, a bundle may come again after all others.</summary>
    public bool MayRepeat { get; init; }

    public Request WriteNext(Span<byte> buffer)
    {
        int bundle = _next++;
        if (bundle >= bundles.Count)
        {
            bundle = MayRepeat ? bundle % bundles.Count : throw new InvalidOperationException(
                $"The server took all {bundles.Count:N0} bundles before the time was over: run with fewer --seconds.");
        }

        int head = HttpText.Append(buffer, 0, Head);
        return new Request(head + WriteBody(bundles, bundle, buffer[head..]), RequestKind.Write, bundle);
    }

    public bool IsExpected(in Request request, in Answer answer) => answer is { Status: 204, Body.IsEmpty: true };

    /// <summary>What publishes one bundle, without the head.</summary>
    public static byte[] Body(SignedBundles bundles, int bundle)
    {
        byte[] body = new byte[BodyLength];
        WriteBody(bundles, bundle, body);
        return body;
    }

    private static int WriteBody(SignedBundles bundles, int bundle, Span<byte> buffer)
    {
        Span<byte> payload = stackalloc byte[SignedBundles.PayloadSize];
        bundles.WritePayload(bundle, payload);

        int at = HttpText.Append(buffer, 0, "{\"device_id\":\""u8);
        Convert.TryToHexStringLower(bundles.DeviceOf(bundle), buffer[at..], out int written);
        at = HttpText.Append(buffer, at + written, "\",\"payload\":\""u8);
        Base64.EncodeToUtf8(payload, buffer[at..], out _, out written);
        at = HttpText.Append(buffer, at + written, "\",\"signature\":\""u8);
        Base64.EncodeToUtf8(bundles.SignatureOf(bundle), buffer[at..], out _, out written);
        return HttpText.Append(buffer, at + written, "\"}"u8);
    }
}
