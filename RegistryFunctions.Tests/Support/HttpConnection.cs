using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace RegistryFunctions.Tests.Support;

/// <summary>An answer as it came over the wire.</summary>
internal sealed record HttpAnswer(int Status, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    private static readonly string[] ProblemMembers = ["type", "title", "status", "detail", "error"];

    /// <summary>Whether the server says that it closes the connection after this answer.</summary>
    public bool Closes => Headers.TryGetValue("Connection", out string? connection) && connection == "close";

    /// <summary>What the web server answers to what is no request yet: nothing but the status, and the end.</summary>
    public bool IsBare => Body.Length == 0 && Closes && Status is 400 or 405 or 408 or 411 or 414 or 431 or 505;

    public bool IsProblem
    {
        get
        {
            if (Headers.GetValueOrDefault("Content-Type") != "application/problem+json")
            {
                return false;
            }

            using JsonDocument json = JsonDocument.Parse(Body);
            return json.RootElement.EnumerateObject().Select(member => member.Name).SequenceEqual(ProblemMembers)
                && json.RootElement.GetProperty("status").GetInt32() == Status
                && json.RootElement.GetProperty("detail").GetString() is { Length: > 0 } detail
                && json.RootElement.GetProperty("error").GetString() == detail;
        }
    }

    public override string ToString() => $"{Status} {Encoding.Latin1.GetString(Body)}";
}

/// <summary>A client that writes whatever bytes it is told to, and reads strictly what comes back (RFC 9112).</summary>
internal sealed class HttpConnection : IDisposable
{
    private static readonly byte[] HeadEnd = "\r\n\r\n"u8.ToArray();

    private readonly Socket _socket;
    private byte[] _buffer = new byte[8 * 1024];
    private int _filled;

    private HttpConnection(Socket socket) => _socket = socket;

    public static async Task<HttpConnection> OpenAsync(Uri url)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(IPAddress.Parse(url.Host), url.Port);
            return new HttpConnection(socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await _socket.SendAsync(bytes)..];
        }
    }

    public Task SendAsync(string latin1) => SendAsync(Encoding.Latin1.GetBytes(latin1));

    /// <summary>Says that nothing more comes.</summary>
    public void EndSending() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>The next answer; null where the server has closed the connection instead.</summary>
    /// <exception cref="InvalidDataException">What came is not HTTP.</exception>
    public async Task<HttpAnswer?> ReceiveAsync(bool toHead = false)
    {
        int headLength;
        while ((headLength = _buffer.AsSpan(0, _filled).IndexOf(HeadEnd)) < 0)
        {
            if (!await FillAsync())
            {
                return _filled == 0 ? null : throw NotHttp("it ends in the middle of a head");
            }
        }

        string[] lines = Encoding.Latin1.GetString(_buffer, 0, headLength).Split("\r\n");
        Take(headLength + HeadEnd.Length);
        int status = lines[0].StartsWith("HTTP/1.1 ", StringComparison.Ordinal)
            && int.TryParse(lines[0].AsSpan(9, 3), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? number
            : throw NotHttp(lines[0]);
        var headers = lines.Skip(1).Select(line => line.Split(": ", 2)).ToDictionary(
            pair => pair[0], pair => pair[1], StringComparer.OrdinalIgnoreCase);
        bool hasBody = !toHead && status is >= 200 and not 204 and not 304;
        return new HttpAnswer(status, headers, hasBody ? await ReceiveBodyAsync(headers) : []);
    }

    public void Dispose() => _socket.Dispose();

    private async Task<byte[]> ReceiveBodyAsync(Dictionary<string, string> headers)
    {
        int length = int.Parse(headers["Content-Length"], NumberStyles.None, CultureInfo.InvariantCulture);
        while (_filled < length)
        {
            // The answer to HEAD, where the caller could not know that it was one: no body begins like this.
            if (_buffer.AsSpan(0, _filled).StartsWith("HTTP/1.1 "u8))
            {
                return [];
            }

            if (!await FillAsync())
            {
                return _filled == 0 ? [] : throw NotHttp("it ends in the middle of a body");
            }
        }

        if (_buffer.AsSpan(0, _filled).StartsWith("HTTP/1.1 "u8))
        {
            return [];
        }

        byte[] body = _buffer[..length];
        Take(length);
        return body;
    }

    private async Task<bool> FillAsync()
    {
        if (_filled == _buffer.Length)
        {
            Array.Resize(ref _buffer, 2 * _buffer.Length);
        }

        int read = await _socket.ReceiveAsync(_buffer.AsMemory(_filled));
        _filled += read;
        return read > 0;
    }

    private void Take(int length)
    {
        _filled -= length;
        _buffer.AsSpan(length, _filled).CopyTo(_buffer);
    }

    private static InvalidDataException NotHttp(string what) => new($"not HTTP: {what}");
}
