using System.Text;
using System.Text.Json;

namespace RegistryFunctions.Tests.Support;

/// <summary>What a submission says, as the contract has it: three texts of bytes.</summary>
internal sealed record Submitted(string Device, string Payload, string Signature);

/// <summary>
/// Says what the contract makes of a posted body, with the framework's parts and plain strings alone: nothing that the
/// registry itself reads with but the grammar of JSON.
/// </summary>
internal static class SubmissionOracle
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The submission, device and bytes in upper-case hex; null where the contract refuses the body.</summary>
    public static Submitted? Read(byte[] body)
    {
        try
        {
            StrictUtf8.GetString(body);
            using JsonDocument json = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = int.MaxValue });
            return json.RootElement.ValueKind == JsonValueKind.Object ? Read([.. json.RootElement.EnumerateObject()]) : null;
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or ArgumentException)
        {
            // Not JSON, not base64, a surrogate without its other half, not UTF-8.
            return null;
        }
    }

    private static Submitted? Read(JsonProperty[] members)
    {
        string device = Only(members, "device_id");
        string payload = Decode(Only(members, "payload"));
        string signature = Decode(Only(members, "signature"));
        return device.Length == 64 && device.All(char.IsAsciiHexDigit) && signature.Length == 128
            ? new Submitted(device.ToUpperInvariant(), payload, signature)
            : null;
    }

    private static string Only(JsonProperty[] members, string name)
    {
        JsonProperty member = members.Where(member => NameOf(member) == name).Single();
        return member.Value.GetString() ?? throw new FormatException();
    }

    private static string? NameOf(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            // No text corresponds to it: an unknown member.
            return null;
        }
    }

    private static string Decode(string base64)
    {
        byte[] bytes = Convert.FromBase64String(base64);
        return Convert.ToBase64String(bytes) == base64 ? Convert.ToHexString(bytes) : throw new FormatException();
    }
}
