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
    private const string NotOneObject = "body: must be one JSON object";
    private const string NotBase64 = "must be base64: standard alphabet, padded, not base64url";
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
            error = NotOneObject;
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
            return NotOneObject;
        }

        DeviceId? device = null;
        byte[]? payload = null;
        Signature? signature = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string? error = ReadMember(ref reader, ref device, ref payload, ref signature);
            if (error is not null)
            {
                return error;
            }
        }

        // Throws where anything follows the object.
        reader.Read();
        if (device is null || payload is null || signature is null)
        {
            string missing = device is null ? "device_id" : payload is null ? "payload" : "signature";
            return $"{missing}: is missing";
        }

        submission = new Submission(device.Value, new Bundle(payload, signature.Value));
        return null;
    }

    private static string? ReadMember(
        ref Utf8JsonReader reader, ref DeviceId? device, ref byte[]? payload, ref Signature? signature)
    {
        using var name = JsonText.Of(ref reader);
        reader.Read();
        if (name.Utf8.SequenceEqual("device_id"u8))
        {
            return device is null ? ReadDeviceId(ref reader, out device) : "device_id: must appear once";
        }

        if (name.Utf8.SequenceEqual("payload"u8))
        {
            return payload is null ? ReadPayload(ref reader, out payload) : "payload: must appear once";
        }

        if (name.Utf8.SequenceEqual("signature"u8))
        {
            return signature is null ? ReadSignature(ref reader, out signature) : "signature: must appear once";
        }

        reader.Skip();
        return null;
    }

    private static string? ReadDeviceId(ref Utf8JsonReader reader, out DeviceId? device)
    {
        using var text = JsonText.Of(ref reader);
        bool parsed = DeviceId.TryParse(text.Utf8, out DeviceId id);
        device = id;
        return parsed ? null : "device_id: must be 64 hex digits";
    }

    private static string? ReadPayload(ref Utf8JsonReader reader, out byte[]? payload)
    {
        using var text = JsonText.Of(ref reader);
        payload = GC.AllocateUninitializedArray<byte>(int.Max(0, CanonicalBase64.DecodedLength(text.Utf8)));
        return text.Exists && CanonicalBase64.TryDecode(text.Utf8, payload) ? null : $"payload: {NotBase64}";
    }

    private static string? ReadSignature(ref Utf8JsonReader reader, out Signature? signature)
    {
        using var text = JsonText.Of(ref reader);
        Span<byte> bytes = stackalloc byte[Signature.Size];
        bool decoded = CanonicalBase64.TryDecode(text.Utf8, bytes);
        signature = new Signature(bytes);
        if (decoded)
        {
            return null;
        }

        return text.Exists && CanonicalBase64.IsValid(text.Utf8)
            ? "signature: must be base64 of 64 bytes"
            : $"signature: {NotBase64}";
    }
}
