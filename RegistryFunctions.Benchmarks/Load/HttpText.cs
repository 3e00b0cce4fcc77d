using System.Text;

namespace RegistryFunctions.Benchmarks.Load;

/// <summary>Puts requests together.</summary>
internal static class HttpText
{
    public static byte[] Of(string text) => Encoding.ASCII.GetBytes(text);

    /// <summary>Copies <paramref name="text"/> to <paramref name="at"/>; returns the place behind it.</summary>
    public static int Append(Span<byte> buffer, int at, ReadOnlySpan<byte> text)
    {
        text.CopyTo(buffer[at..]);
        return at + text.Length;
    }
}
