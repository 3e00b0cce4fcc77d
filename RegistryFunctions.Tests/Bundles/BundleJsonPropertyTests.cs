using System.Globalization;
using System.Text;
using CsCheck;
using RegistryFunctions.Bundles;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Bundles;

/// <summary>
/// The wire form, for any bundle and any way to write it. A failure prints the simplest text found and a seed:
/// CsCheck_Seed repeats it, CsCheck_Iter searches longer.
/// </summary>
public sealed class BundleJsonPropertyTests
{
    private static readonly Gen<string> WhiteSpace = Gen.OneOf(' ', '\t', '\r', '\n').Array[0, 2].Select(c => new string(c));

    private static readonly Gen<string> UnknownName = Gen.OneOf(
        Gen.Const("\"x\""), Gen.Const("\"\""), Gen.Const("\"Payload\""), Gen.Const("\"payload \""), Gen.Const("\"\\ud800\""),
        Gen.Const("\"device_\\u0000id\""), Gen.Const("\"ключ\""));

    private static readonly Gen<string> AnyValue = Gen.Recursive<string>((depth, value) => depth > 3
        ? Gen.OneOf("null", "true", "-1.5e-7", "\"\"", "\"\\\"\\\\\\/\\b\\n\"", "\"\\ud800\"", "\"😀\"")
        : Gen.OneOf(
            Gen.Const("0"), Gen.Const("\"payload\""), value.Array[0, 3].Select(values => $"[{string.Join(',', values)}]"),
            Gen.Select(value, value, (one, two) => $"{{\"payload\":{one},\"payload\":{two}}}")));

    private static readonly Gen<Submitted> Submissions = Gen.Select(
        Gen.Byte.Array[32], Gen.Byte.Array[0, 60], Gen.Byte.Array[64],
        (device, payload, signature) => new Submitted(
            Convert.ToHexString(device), Convert.ToHexString(payload), Convert.ToHexString(signature)));

    private static readonly Gen<(Submitted Meant, string Text)> Written =
        from meant in Submissions
        from device in Mixed(meant.Device)
        from known in Gen.Select(Member("device_id", device), Member("payload", Base64(meant.Payload)), Member("signature", Base64(meant.Signature)))
        from unknown in Gen.Select(UnknownName, AnyValue, (name, value) => $"{name}:{value}").Array[0, 3]
        from members in Gen.Shuffle((string[])[known.Item1, known.Item2, known.Item3, .. unknown])
        from space in WhiteSpace.Array[4]
        select (meant, $"{space[0]}{{{space[1]}{string.Join($"{space[2]},{space[3]}", members)}{space[1]}}}{space[0]}");

    [Fact]
    public void Every_legal_way_to_write_a_bundle_is_read_as_that_bundle() => Written.Sample(
        written =>
        {
            Assert.True(BundleJson.TryRead(Encoding.UTF8.GetBytes(written.Text), out Submission? submission, out string? error), error);
            Assert.Equal(written.Meant, Meaning(submission));
        },
        iter: 2_000,
        print: written => written.Text);

    [Fact]
    public void A_text_with_one_change_is_read_as_the_contract_says_or_refused_with_one_line() => Changed().Sample(
        body =>
        {
            bool read = BundleJson.TryRead(body, out Submission? submission, out string? error);
            Assert.Equal(SubmissionOracle.Read(body), read ? Meaning(submission!) : null);
            if (!read)
            {
                Assert.Matches("^(body|device_id|payload|signature): [ -~]{1,60}$", error);
            }
        },
        iter: 5_000,
        print: Encoding.Latin1.GetString);

    // One byte or stretch of a text that was legal is something else.
    private static Gen<byte[]> Changed() =>
        from text in Written.Select(written => Encoding.UTF8.GetBytes(written.Text))
        from at in Gen.Int[0, text.Length - 1]
        from length in Gen.Int[1, 80]
        from to in Gen.Int[0, text.Length]
        from replacement in Gen.OneOf(
            Gen.Byte.Array[1],
            Gen.OneOf("", "\"", "\\", "{", "}", "[", "]", ",", ":", "=", "==", " ", "\0", "\ufeff", "null", "\\u0041", "/**/").Select(Encoding.UTF8.GetBytes))
        from changed in Gen.OneOf<byte[]>(
            [.. text[..at], .. replacement, .. text[(at + 1)..]],
            [.. text[..at], .. replacement, .. text[at..]],
            [.. text[..at], .. text[int.Min(text.Length, at + length)..]],
            [.. text[..to], .. text[at..int.Min(text.Length, at + length)], .. text[to..]],
            text[..at])
        select changed;

    private static Gen<string> Member(string name, string value) =>
        Gen.Select(Escaped(name), WhiteSpace, WhiteSpace, Escaped(value), (n, before, after, v) => $"\"{n}\"{before}:{after}\"{v}\"");

    // Each character as it is or, seldom, as an escape.
    private static Gen<string> Escaped(string text) => Gen.Int[0, 15].Array[text.Length].Select(ways =>
        string.Concat(text.Zip(ways, (c, way) => way switch
        {
            0 => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
            1 => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:X4}"),
            2 when c == '/' => "\\/",
            _ => c.ToString(),
        })));

    private static Gen<string> Mixed(string hex) => Gen.Bool.Array[hex.Length].Select(lower =>
        string.Concat(hex.Zip(lower, (c, isLower) => isLower ? char.ToLowerInvariant(c) : c)));

    private static string Base64(string hex) => Convert.ToBase64String(Convert.FromHexString(hex));

    private static Submitted Meaning(Submission submission) => new(
        Convert.ToHexString(submission.Device.Span),
        Convert.ToHexString(submission.Bundle.Payload.Span),
        Convert.ToHexString(submission.Bundle.Signature.Span));
}
