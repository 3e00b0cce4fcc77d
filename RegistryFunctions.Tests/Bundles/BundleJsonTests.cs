using System.Buffers;
using System.Text;
using System.Text.Json;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Tests.Bundles;

public class BundleJsonTests
{
    private const string Id = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    private static readonly string Signature = Convert.ToBase64String(Enumerable.Range(0, 64).Select(i => (byte)i).ToArray());
    private static readonly string Valid = $$"""{"device_id":"{{Id}}","payload":"AAEC","signature":"{{Signature}}"}""";

    [Fact]
    public void The_three_members_are_read()
    {
        Submission submission = Accepted(Valid);
        Assert.Equal(Id, submission.Device.ToString());
        Assert.Equal([0, 1, 2], submission.Bundle.Payload.ToArray());
        Assert.Equal(Convert.FromBase64String(Signature), submission.Bundle.Signature.Span);
    }

    [Fact]
    public void Order_and_white_space_between_members_do_not_matter() =>
        Accepted($$"""  { "signature" : "{{Signature}}" , "payload":"" ,"device_id": "{{Id}}" } """ + "\r\n");

    [Theory]
    [InlineData("\"x\":1")]
    [InlineData("\"x\":null,\"x\":null")]
    [InlineData("\"Device_Id\":\"x\"")]
    [InlineData("\"nested\":{\"device_id\":1,\"payload\":[{}]}")]
    [InlineData("\"\\ud800\":\"\\ud800\"")]
    [InlineData("\"device_i\\ud800xxxxxxxxxxxxxxxxxxxxxxxxxxx\":1")]
    public void Unknown_members_are_ignored(string member)
    {
        Accepted(Valid.Replace("}", $",{member}}}", StringComparison.Ordinal));
        Accepted(Valid.Replace("{", $"{{{member},", StringComparison.Ordinal));
    }

    [Fact]
    public void Unknown_members_are_ignored_however_deep()
    {
        string deep = new string('[', 20_000) + new string(']', 20_000);
        Accepted(Valid.Replace("}", $",\"x\":{deep}}}", StringComparison.Ordinal));
    }

    [Fact]
    public void Escapes_in_names_and_values_stand_for_their_characters()
    {
        byte[] slashes = Enumerable.Repeat((byte)0xff, 64).ToArray();
        string signature = Convert.ToBase64String(slashes).Replace("/", "\\/", StringComparison.Ordinal);
        Submission submission = Accepted(
            $$"""{"device\u005fid":"\u0030{{Id[1..]}}","p\u0061yload":"\/\/\/\/","signature":"{{signature}}"}""");
        Assert.Equal(Id, submission.Device.ToString());
        Assert.Equal([0xff, 0xff, 0xff], submission.Bundle.Payload.ToArray());
        Assert.Equal(slashes, submission.Bundle.Signature.Span);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("{")]
    [InlineData("{]")]
    [InlineData("{\"device_id\"")]
    [InlineData("{\"device_id\":")]
    [InlineData("{'device_id':1}")]
    [InlineData("{}{}")]
    [InlineData("{} x")]
    [InlineData("{}\0")]
    [InlineData("{},")]
    [InlineData("{\"x\":1,}")]
    [InlineData("{/* comment */}")]
    [InlineData("\ufeff{}")]
    public void What_is_not_one_JSON_object_is_refused(string body) =>
        Assert.NotEqual("device_id: is missing", Refused(body, allow: ["body:", "device_id: must"]));

    [Theory]
    [InlineData("{}", "device_id: is missing")]
    [InlineData("{\"payload\":\"\"}", "device_id: is missing")]
    public void Missing_members_are_named(string body, string error) => Assert.Equal(error, Refused(body));

    [Theory]
    [InlineData("device_id")]
    [InlineData("payload")]
    [InlineData("signature")]
    public void A_member_that_is_missing_null_not_a_string_or_twice_is_named(string member)
    {
        using JsonDocument valid = JsonDocument.Parse(Valid);
        string value = valid.RootElement.GetProperty(member).GetRawText();
        string pair = $"\"{member}\":{value}";
        Assert.Equal($"{member}: is missing", Refused(Valid.Replace(member, "x", StringComparison.Ordinal)));
        foreach (string other in (string[])["null", "1", "true", "[]", "{}", $"[{value}]", "\"\\ud800\""])
        {
            Refused(Valid.Replace(pair, $"\"{member}\":{other}", StringComparison.Ordinal), allow: [$"{member}: must be"]);
        }

        Assert.Equal($"{member}: must appear once", Refused(Valid.Replace(pair, $"{pair},{pair}", StringComparison.Ordinal)));
        string escaped = $"\"\\u{(int)member[0]:x4}{member[1..]}\":{value}";
        Assert.Equal($"{member}: must appear once", Refused(Valid.Replace(pair, $"{pair},{escaped}", StringComparison.Ordinal)));
    }

    [Fact]
    public void Bytes_that_are_not_UTF_8_are_refused_even_in_unknown_members()
    {
        byte[] body = Encoding.Latin1.GetBytes(Valid.Replace("}", ",\"x\":\"\u00ff\"}", StringComparison.Ordinal));
        Assert.False(BundleJson.TryRead(body, out _, out string? error));
        Assert.Equal("body: must be UTF-8", error);
    }

    [Theory]
    [InlineData(63)]
    [InlineData(65)]
    [InlineData(0)]
    public void A_signature_that_is_not_64_bytes_is_refused(int length) => Assert.Equal(
        "signature: must be base64 of 64 bytes",
        Refused(Valid.Replace(Signature, Convert.ToBase64String(new byte[length]), StringComparison.Ordinal)));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(700)]
    [InlineData(60_000)]
    public void What_is_written_is_the_JSON_of_the_two_members(int payloadLength)
    {
        byte[] payload = new byte[payloadLength];
        Random.Shared.NextBytes(payload);
        byte[] signature = new byte[64];
        Random.Shared.NextBytes(signature);
        var bundle = new Bundle(payload, new Signature(signature));
        var writer = new ArrayBufferWriter<byte>();
        BundleJson.Write(bundle, writer);
        Assert.Equal(BundleJson.EncodedLength(bundle), writer.WrittenCount);
        Assert.Equal(
            $$"""{"payload":"{{Convert.ToBase64String(payload)}}","signature":"{{Convert.ToBase64String(signature)}}"}""",
            Encoding.UTF8.GetString(writer.WrittenSpan));
    }

    private static Submission Accepted(string body)
    {
        Assert.True(BundleJson.TryRead(Encoding.UTF8.GetBytes(body), out Submission? submission, out string? error), error);
        return submission;
    }

    private static string Refused(string body, params string[] allow)
    {
        Assert.False(BundleJson.TryRead(Encoding.UTF8.GetBytes(body), out _, out string? error));
        Assert.True(allow.Length == 0 || allow.Any(error.StartsWith), error);
        return error;
    }
}
