using System.Buffers;
using System.Text.Json;

namespace RegistryFunctions.Bundles;

/// <summary>
/// The text of a JSON name or string: the reader's own bytes, or where it has escapes (some encoders write
/// "\/" in base64) an unescaped copy. Valid until disposed and while the reader's buffer is.
/// </summary>
internal ref struct JsonText
{
    private byte[]? _rented;

    private JsonText(scoped ref Utf8JsonReader reader)
    {
        Exists = reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName;
        if (!Exists)
        {
            return;
        }

        Utf8 = reader.ValueSpan;
        if (reader.ValueIsEscaped)
        {
            _rented = ArrayPool<byte>.Shared.Rent(reader.ValueSpan.Length);
            Exists = TryUnescape(ref reader, _rented, out int length);
            Utf8 = _rented.AsSpan(0, length);
        }
    }

    /// <summary>False where the token is no string, or one that no text corresponds to ("\ud800").</summary>
    public bool Exists { get; }

    /// <summary>The text in UTF-8.</summary>
    public ReadOnlySpan<byte> Utf8 { get; }

    /// <summary>The text of the token that <paramref name="reader"/> is at.</summary>
    public static JsonText Of(scoped ref Utf8JsonReader reader) => new(ref reader);

    /// <summary>Gives back the copy, if there is one.</summary>
    public void Dispose()
    {
        if (_rented is not null)
        {
            ArrayPool<byte>.Shared.Return(_rented);
            _rented = null;
        }
    }

    private static bool TryUnescape(scoped ref Utf8JsonReader reader, byte[] destination, out int length)
    {
        try
        {
            length = reader.CopyString(destination);
            return true;
        }
        catch (InvalidOperationException)
        {
            // A surrogate without its other half.
            length = 0;
            return false;
        }
    }
}
