using System.Globalization;
using System.Text;

namespace RegistryFunctions.Tests.Endurance;

/// <summary>A request in parts, each of which can be damaged by itself.</summary>
internal sealed record FuzzRequest(string Method, string Target, string[] Headers, byte[] Body)
{
    public byte[] ToBytes() =>
    [
        .. Encoding.Latin1.GetBytes($"{Method} {Target} HTTP/1.1\r\n{string.Concat(Headers.Select(header => header + "\r\n"))}"),
        .. Encoding.Latin1.GetBytes(string.Create(CultureInfo.InvariantCulture, $"Content-Length: {Body.Length}\r\n\r\n")),
        .. Body,
    ];
}

/// <summary>Makes malformed requests of good ones.</summary>
internal sealed class Mutations(Random random)
{
    private static readonly string[] Fragments =
    [
        "\"", "\\", "{", "}", "[", "]", ",", ":", "=", "==", "====", "-", "_", "/", "+", " ", "\n", "\0", "\u00ff", "\u00c0\u0080",
        "\u00ed\u00a0\u0080", "\u00ef\u00bb\u00bf", "null", "true", "1e999", "-0", "\\u0000", "\\ud800", "\\u0041", "/*x*/", "//x\n",
        "\"payload\":", "\"payload\":\"\",", "\"device_id\":null,", "\"signature\":[]", "{\"device_id\":{}}", "NaN", "%00", "%2f", "..",
    ];

    private static readonly string[] Targets =
    [
        "/", "//", "/v0", "/v0/", "/v0/keypackage/", "/v0/keypackage//", "/V0/KEYPACKAGE", "/v0/keypackage?", "/v0/keypackage?x=%00",
        "/v0/keypackage/..", "/v0/./keypackage", "/v0/keypackage/%2e%2e/keypackage", "/v0/keypackage/%F0%9F%98%80", "/Prune", "/prune",
        "/v0/keypackage/%C3%28", "/v0%2Fkeypackage", "/v0/keypackage/a/b", "/v0/keypackage/{device_id}", "/v0/keypackage/%25",
    ];

    private static readonly string[] Methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get", "X", "PROPFIND"];

    private static readonly string[] AppHeaders =
    [
        "Content-Type: text/plain", "Content-Type: application/json; charset=utf-16", "Content-Type: ;", "Content-Type:",
        "Content-Type: application/problem+json", "Content-Encoding: gzip", "Accept: nothing/nothing", "If-None-Match: *",
        "If-None-Match: \"", "If-None-Match: W/\"x\", \"y\"", "If-None-Match: \"x\",,,\"", "If-Match: \"x\"", "Range: bytes=0-1",
        "X-HTTP-Method-Override: PUT", "X-Forwarded-For: 1.2.3.4", "Cookie: a=b", "Authorization: Basic x", "Expect: 100-continue",
    ];

    private static readonly string[] WireHeaders =
    [
        "Transfer-Encoding: chunked", "Transfer-Encoding: gzip", "Content-Length: 5", "Content-Length: -1", "Content-Length: 0x10",
        "Content-Length: 99999999999999999999", "Host: a\r\nHost: b", "Host: [", "Host : x", " folded: x", ": x", "x", "X: \u0000", "X\u00ff: x",
        "Connection: close", "Connection: Upgrade\r\nUpgrade: h2c", "Upgrade: websocket", "Connection: keep-alive, x", "Expect: 200",
        "TE: trailers", "Trailer: x", "Cookie: \u00e4",
    ];

    /// <summary>A request that still is HTTP: the registry itself must answer it.</summary>
    public FuzzRequest InTheApp(FuzzRequest request) => random.Next(request.Body.Length == 0 ? 4 : 8) switch
    {
        0 => request with { Target = request.Target[..^random.Next(request.Target.Length)] + Hexish() },
        1 => request with { Target = Any(Targets) },
        2 => request with { Method = Any(Methods) },
        3 => request with { Headers = [.. request.Headers.Where(header => !header.StartsWith("Content-Type", StringComparison.Ordinal)), Any(AppHeaders)] },
        _ => request with { Body = Often(Damaged, request.Body) },
    };

    /// <summary>A request that may not be HTTP any more.</summary>
    public byte[] OnTheWire(FuzzRequest request) => random.Next(3) switch
    {
        0 => (request with { Headers = [.. request.Headers, Any(WireHeaders)] }).ToBytes(),
        1 => (request with { Target = Any([request.Target + Any(Fragments), "*", "http://x/v0/keypackage", "x:1", ""]) }).ToBytes(),
        _ => Often(Damaged, request.ToBytes()),
    };

    private byte[] Damaged(byte[] bytes)
    {
        if (bytes.Length == 0)
        {
            return Encoding.Latin1.GetBytes(Any(Fragments));
        }

        int at = random.Next(bytes.Length);
        int end = int.Min(bytes.Length, at + random.Next(1, 100));
        int to = random.Next(bytes.Length);
        byte[] fragment = Encoding.Latin1.GetBytes(Any(Fragments));
        return random.Next(9) switch
        {
            0 => [.. bytes[..at], (byte)(bytes[at] ^ (1 << random.Next(8))), .. bytes[(at + 1)..]],
            1 => [.. bytes[..at], (byte)random.Next(256), .. bytes[(at + 1)..]],
            2 => [.. bytes[..at], .. fragment, .. bytes[at..]],
            3 => [.. bytes[..at], .. fragment, .. bytes[(at + 1)..]],
            4 => [.. bytes[..at], .. bytes[end..]],
            5 => [.. bytes[..to], .. bytes[at..end], .. bytes[to..]],
            6 => bytes[..at],
            // Letters of the other case: hex stays, base64 and names do not.
            7 => [.. bytes[..at], .. bytes[at..end].Select(b => char.IsAsciiLetter((char)b) ? (byte)(b ^ 0x20) : b), .. bytes[end..]],
            _ => [.. bytes[..at], .. Repeated(fragment), .. bytes[at..]],
        };
    }

    // Now and then more than any limit allows.
    private byte[] Repeated(byte[] fragment) =>
        [.. Enumerable.Repeat(fragment, random.Next(100) == 0 ? 70_000 / fragment.Length : random.Next(1, 60)).SelectMany(bytes => bytes)];

    private T Often<T>(Func<T, T> change, T value)
    {
        do
        {
            value = change(value);
        }
        while (random.Next(3) == 0);
        return value;
    }

    private string Any(string[] choices) => choices[random.Next(choices.Length)];

    private string Hexish() => new([.. Enumerable.Range(0, random.Next(70)).Select(_ => "0123456789abcdefABCDEFg.~-"[random.Next(26)])]);
}
