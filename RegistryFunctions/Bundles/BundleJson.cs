using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Unicode;

namespace RegistryFunctions.Bundles;

/// <summary>
/// The wire form of bundles: JSON (RFC 8259) with hex and base64 strings. Reading is strict where two readers
/// could differ (duplicates, trailing data, non-canonical base64) and lenient only towards unknown members.
/// </summary>
public static class BundleJson
{
    private const int EncodedSignatureLength = (Signature.Size + 2) / 3 * 4;

    private static readonly JsonReaderOptions ReaderOptions = new()
    {
        // Unknown members are ignored however deep they are; the body limit bounds the depth.
        MaxDepth = int.MaxValue,
    };

    /// <summary>
    /// Reads <c>{"device_id":"64 hex digits","payload":"base64","signature":"base64 of 64 bytes"}</c>.
    /// On failure <paramref name="error"/> names the member at fault and what it must be.
    /// </summary>
    public static bool TryRead(
        ReadOnlySpan<byte> body,
        [NotNullWhen(true)] out Submission? submission,
        [NotNullWhen(false)] out string? error)
    {
        submission = null;
        try
        {
            error = Utf8.IsValid(body) ? Read(body, out submission) : "body: must be UTF-8";
        }
        catch (JsonException)
        {
            error = "body: must be one JSON object";
        }

        return error is null;
    }

    /// <summary>Length in bytes of what <see cref="Write"/> writes.</summary>
    public static int EncodedLength(Bundle bundle) =>
        """{"payload":"","signature":""}"""u8.Length
        + Base64.GetMaxEncodedToUtf8Length(bundle.Payload.Length)
        + EncodedSignatureLength;

    /// <summary>Writes <c>{"payload":"base64","signature":"base64"}</c>.</summary>
    public static void Write(Bundle bundle, IBufferWriter<byte> writer)
    {
        Span<byte> json = writer.GetSpan(EncodedLength(bundle));
        int length = Append(json, 0, "{\"payload\":\""u8);
        length = AppendBase64(json, length, bundle.Payload.Span);
        length = Append(json, length, "\",\"signature\":\""u8);
        length = AppendBase64(json, length, bundle.Signature.Span);
        length = Append(json, length, "\"}"u8);
        writer.Advance(length);
    }

    private static int Append(Span<byte> json, int at, ReadOnlySpan<byte> text)
    {
        text.CopyTo(json[at..]);
        return at + text.Length;
    }

    private static int AppendBase64(Span<byte> json, int at, ReadOnlySpan<byte> bytes)
    {
        Base64.EncodeToUtf8(bytes, json[at..], out _, out int written);
        return at + written;
    }

    // Returns what is wrong, or null.
    private static string? Read(ReadOnlySpan<byte> body, out Submission? submission)
    {
        submission = null;
        var reader = new Utf8JsonReader(body, ReaderOptions);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return "body: must be one JSON object";
        }

        DeviceId? device = null;
        byte[]? payload = null;
        Signature? signature = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("device_id"u8))
            {
                if (device is not null)
                {
                    return "device_id: must appear once";
                }

                if (!TryReadDeviceId(ref reader, out device))
                {
                    return "device_id: must be 64 hex digits";
                }
            }
            else if (reader.ValueTextEquals("payload"u8))
            {
                if (payload is not null)
                {
                    return "payload: must appear once";
                }

                if (!TryReadBytes(ref reader, out payload))
                {
                    return "payload: must be base64";
                }
            }
            else if (reader.ValueTextEquals("signature"u8))
            {
                if (signature is not null)
                {
                    return "signature: must appear once";
                }

                if (!TryReadSignature(ref reader, out signature))
                {
                    return "signature: must be base64 of 64 bytes";
                }
            }
            else
            {
                reader.Skip();
            }
        }

        // Throws on trailing data.
        reader.Read();
        if (device is null)
        {
            return "device_id: is missing";
        }

        if (payload is null)
        {
            return "payload: is missing";
        }

        if (signature is null)
        {
            return "signature: is missing";
        }

        submission = new Submission(device.Value, new Bundle(payload, signature.Value));
        return null;
    }

    private static bool TryReadDeviceId(ref Utf8JsonReader reader, out DeviceId? device)
    {
        device = null;
        using var text = StringValue.Read(ref reader);
        if (!text.IsString || !DeviceId.TryParse(text.Utf8, out DeviceId parsed))
        {
            return false;
        }

        device = parsed;
        return true;
    }

    private static bool TryReadSignature(ref Utf8JsonReader reader, out Signature? signature)
    {
        signature = null;
        using var text = StringValue.Read(ref reader);
        Span<byte> bytes = stackalloc byte[Signature.Size];
        if (!text.IsString || !CanonicalBase64.TryDecode(text.Utf8, bytes))
        {
            return false;
        }

        signature = new Signature(bytes);
        return true;
    }

    private static bool TryReadBytes(ref Utf8JsonReader reader, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        using var text = StringValue.Read(ref reader);
        if (!text.IsString)
        {
            return false;
        }

        byte[] decoded = GC.AllocateUninitializedArray<byte>(int.Max(0, CanonicalBase64.DecodedLength(text.Utf8)));
        if (!CanonicalBase64.TryDecode(text.Utf8, decoded))
        {
            return false;
        }

        bytes = decoded;
        return true;
    }

    /// <summary>
    /// The text of the value that follows a member's name: the reader's own bytes, or where the text has
    /// escapes (some encoders write "\/" in base64) an unescaped copy.
    /// </summary>
    private ref struct StringValue
    {
        private byte[]? _rented;

        public bool IsString { get; private set; }

        public ReadOnlySpan<byte> Utf8 { get; private set; }

        public static StringValue Read(ref Utf8JsonReader reader)
        {
            var value = new StringValue();
            reader.Read();
            value.IsString = reader.TokenType == JsonTokenType.String;
            if (!value.IsString)
            {
                return value;
            }

            value.Utf8 = reader.ValueSpan;
            if (reader.ValueIsEscaped)
            {
                value.Unescape(ref reader);
            }

            return value;
        }

        public void Dispose()
        {
            if (_rented is not null)
            {
                ArrayPool<byte>.Shared.Return(_rented);
                _rented = null;
            }
        }

        private void Unescape(ref Utf8JsonReader reader)
        {
            _rented = ArrayPool<byte>.Shared.Rent(reader.ValueSpan.Length);
            try
            {
                Utf8 = _rented.AsSpan(0, reader.CopyString(_rented));
            }
            catch (InvalidOperationException)
            {
                // A lone surrogate ("\ud800") is a JSON string that no text corresponds to.
                IsString = false;
            }
        }
    }
}
