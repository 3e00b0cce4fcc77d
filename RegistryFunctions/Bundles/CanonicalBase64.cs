using System.Buffers;
using System.Buffers.Text;

namespace RegistryFunctions.Bundles;

/// <summary>
/// Standard base64 (RFC 4648, section 4) in its one canonical form: padded, without white space, with zero
/// trailing bits. Encoding what was decoded gives back the same text.
/// </summary>
public static class CanonicalBase64
{
    private const int QuantumChars = 4;
    private const int QuantumBytes = 3;

    /// <summary>The number of bytes that <paramref name="text"/> stands for if it is canonical.</summary>
    public static int DecodedLength(ReadOnlySpan<byte> text)
    {
        int padding = text.EndsWith("=="u8) ? 2 : text.EndsWith("="u8) ? 1 : 0;
        return text.Length / QuantumChars * QuantumBytes - padding;
    }

    /// <summary>Whether <paramref name="text"/> (UTF-8) is canonical.</summary>
    public static bool IsValid(ReadOnlySpan<byte> text) => TryDecode(text, new byte[int.Max(0, DecodedLength(text))]);

    /// <summary>Decodes <paramref name="text"/> (UTF-8), which must fill <paramref name="bytes"/> exactly.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> text, Span<byte> bytes)
    {
        // The framework's decoder refuses stray trailing bits but skips white space. Text with white space decodes to
        // fewer bytes than its length promises, so the two length checks together refuse it.
        return text.Length % QuantumChars == 0
            && bytes.Length == DecodedLength(text)
            && Base64.DecodeFromUtf8(text, bytes, out _, out int written) == OperationStatus.Done
            && written == bytes.Length;
    }
}
