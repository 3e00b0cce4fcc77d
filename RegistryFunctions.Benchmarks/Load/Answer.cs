using System.Buffers.Text;

namespace RegistryFunctions.Benchmarks.Load;

/// <summary>An HTTP/1.1 answer that has arrived whole.</summary>
internal readonly ref struct Answer
{
    private const int StatusAt = 9;

    private Answer(int status, ReadOnlySpan<byte> body, int length)
    {
        Status = status;
        Body = body;
        Length = length;
    }

    public int Status { get; }

    public ReadOnlySpan<byte> Body { get; }

    /// <summary>Bytes of head and body.</summary>
    public int Length { get; }

    /// <summary>Reads an answer from what arrived so far; false while some of it is missing.</summary>
    /// <remarks>An answer without Content-Length is taken to have no body: a chunked one comes out as wrong.</remarks>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out Answer answer)
    {
        answer = default;
        int endOfHead = bytes.IndexOf("\r\n\r\n"u8);
        if (endOfHead < 0)
        {
            return false;
        }

        ReadOnlySpan<byte> head = bytes[..(endOfHead + 4)];
        int bodyLength = BodyLength(head);
        if (bytes.Length < head.Length + bodyLength)
        {
            return false;
        }

        ReadOnlySpan<byte> body = bytes.Slice(head.Length, bodyLength);
        answer = new Answer(NumberAt(head, StatusAt), body, head.Length + bodyLength);
        return true;
    }

    private static int BodyLength(ReadOnlySpan<byte> head)
    {
        ReadOnlySpan<byte> name = "\r\nContent-Length: "u8;
        int at = head.IndexOf(name);
        return at < 0 ? 0 : NumberAt(head, at + name.Length);
    }

    private static int NumberAt(ReadOnlySpan<byte> head, int at) =>
        Utf8Parser.TryParse(head[at..], out int number, out _) ? number : 0;
}
