using System.Numerics;
using RegistryFunctions.Bundles;
using RegistryFunctions.Tests.Support;
using static RegistryFunctions.Tests.Support.Edwards25519;

namespace RegistryFunctions.Tests.Bundles;

public class VerifiedBundleTests
{
    private static readonly byte[] Payload = "payload"u8.ToArray();

    [Fact]
    public void A_device_s_own_signature_verifies()
    {
        var device = new Device();
        Assert.True(Verifies(device.Id.Span.ToArray(), Payload, device.Sign(Payload)));
    }

    [Fact]
    public void An_empty_payload_can_be_signed()
    {
        var device = new Device();
        Assert.True(Verifies(device.Id.Span.ToArray(), [], device.Sign([])));
    }

    [Theory]
    [InlineData("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "", "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")]
    [InlineData("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82", "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a")]
    public void The_test_vectors_of_RFC_8032_verify(string seed, string key, string payload, string signature)
    {
        Assert.Equal(64, seed.Length);
        Assert.True(Verifies(Convert.FromHexString(key), Convert.FromHexString(payload), Convert.FromHexString(signature)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(63)]
    public void A_flipped_bit_of_the_signature_is_refused(int at)
    {
        var device = new Device();
        byte[] signature = device.Sign(Payload);
        signature[at] ^= 1;
        Assert.False(Verifies(device.Id.Span.ToArray(), Payload, signature));
    }

    [Fact]
    public void Another_payload_is_refused()
    {
        var device = new Device();
        Assert.False(Verifies(device.Id.Span.ToArray(), [.. Payload, 0], device.Sign(Payload)));
    }

    [Fact]
    public void Another_device_s_signature_is_refused() =>
        Assert.False(Verifies(new Device().Id.Span.ToArray(), Payload, new Device().Sign(Payload)));

    [Fact]
    public void A_key_that_is_no_point_of_the_curve_is_refused()
    {
        // y = 2 has no x.
        byte[] key = Encode(new BigInteger(2));
        Assert.False(Verifies(key, Payload, new Device().Sign(Payload)));
    }

    [Fact]
    public void A_second_form_of_S_is_refused()
    {
        // S + L satisfies the same equation: who accepts it lets anyone make a second signature of a first.
        var device = new Device();
        byte[] signature = device.Sign(Payload);
        BigInteger s = new(signature.AsSpan(32), isUnsigned: true);
        byte[] second = [.. signature[..32], .. Encode(s + L)];
        Assert.True(SatisfiesEquation(device.Id.Span.ToArray(), Payload, second));
        Assert.False(Verifies(device.Id.Span.ToArray(), Payload, second));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    public void A_key_of_small_order_is_refused(int multiple)
    {
        // With k·A the identity, S = r satisfies the equation: a "signature" that needs no private key.
        BigInteger r = RandomScalar();
        byte[] key = (multiple * Torsion).Encode();
        byte[] encodedR = (r * B).Encode();
        byte[] payload = PayloadWhere(encodedR, key, k => k % 8 == 0);
        byte[] signature = [.. encodedR, .. Encode(r)];
        Assert.True(SatisfiesEquation(multiple * Torsion, key, payload, signature));
        Assert.False(Verifies(key, payload, signature));
    }

    [Fact]
    public void A_key_in_non_canonical_encoding_is_refused()
    {
        BigInteger r = RandomScalar();
        byte[] key = Identity.EncodeNonCanonically();
        byte[] signature = [.. (r * B).Encode(), .. Encode(r)];
        Assert.True(SatisfiesEquation(Identity, key, Payload, signature));
        Assert.False(Verifies(key, Payload, signature));
    }

    [Fact]
    public void R_that_is_the_identity_is_refused()
    {
        BigInteger a = RandomScalar();
        AssertRefusedWithR(a, a * B, Identity, Identity.Encode(), Payload);
    }

    [Fact]
    public void R_in_non_canonical_encoding_is_refused()
    {
        BigInteger a = RandomScalar();
        AssertRefusedWithR(a, a * B, Identity, Identity.EncodeNonCanonically(), Payload);
    }

    [Fact]
    public void R_with_the_sign_of_a_zero_x_is_refused()
    {
        BigInteger a = RandomScalar();
        byte[] r = Identity.Encode();
        r[31] |= 0x80;
        AssertRefusedWithR(a, a * B, Identity, r, Payload);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    public void R_of_small_order_is_refused(int multiple)
    {
        // The key has a part of order 8, and the payload is searched for so that this part cancels R.
        BigInteger a = RandomScalar();
        Edwards25519.Point key = (a * B) + Torsion;
        byte[] r = (multiple * Torsion).Encode();
        byte[] payload = PayloadWhere(r, key.Encode(), k => (k + multiple) % 8 == 0);
        AssertRefusedWithR(a, key, multiple * Torsion, r, payload);
    }

    [Fact]
    public void A_signature_that_holds_only_times_the_cofactor_is_refused()
    {
        BigInteger a = RandomScalar();
        BigInteger r = RandomScalar();
        byte[] key = (a * B).Encode();
        byte[] encodedR = ((r * B) + Torsion).Encode();
        BigInteger k = Challenge(encodedR, key, Payload);
        byte[] signature = [.. encodedR, .. Encode((r + (k * a)) % L)];
        Assert.False(SatisfiesEquation(key, Payload, signature));
        Assert.True(SatisfiesEquation(a * B, key, Payload, signature, cofactor: 8));
        Assert.False(Verifies(key, Payload, signature));
    }

    [Fact]
    public void A_key_with_a_part_of_small_order_is_judged_by_the_equation_without_the_cofactor()
    {
        BigInteger a = RandomScalar();
        BigInteger r = RandomScalar();
        Edwards25519.Point key = (a * B) + Torsion;
        byte[] encodedR = (r * B).Encode();
        foreach (bool holds in (bool[])[true, false])
        {
            byte[] payload = PayloadWhere(encodedR, key.Encode(), k => k % 8 == 0 == holds);
            BigInteger k = Challenge(encodedR, key.Encode(), payload);
            byte[] signature = [.. encodedR, .. Encode((r + (k * a)) % L)];
            Assert.Equal(holds, Verifies(key.Encode(), payload, signature));
        }
    }

    // R + k·A = S·B holds with S = k·a, whatever part of small order R and A have, if those parts cancel.
    private static void AssertRefusedWithR(
        BigInteger a, Edwards25519.Point key, Edwards25519.Point r, byte[] encodedR, byte[] payload)
    {
        BigInteger k = Challenge(encodedR, key.Encode(), payload);
        byte[] s = Encode(k * a % L);
        Assert.Equal((k * a % L) * B, r + (k * key));
        Assert.False(Verifies(key.Encode(), payload, [.. encodedR, .. s]));
    }

    private static byte[] PayloadWhere(byte[] r, byte[] key, Func<BigInteger, bool> accept) =>
        Enumerable.Range(0, 10_000)
            .Select(BitConverter.GetBytes)
            .First(payload => accept(Challenge(r, key, payload)));

    private static bool SatisfiesEquation(byte[] key, byte[] payload, byte[] signature) =>
        SatisfiesEquation(Decode(key), key, payload, signature);

    private static bool SatisfiesEquation(
        Edwards25519.Point a, byte[] key, byte[] payload, byte[] signature, int cofactor = 1)
    {
        byte[] r = signature[..32];
        BigInteger s = new(signature.AsSpan(32), isUnsigned: true);
        return cofactor * ((s % L) * B) == cofactor * (Decode(r) + (Challenge(r, key, payload) * a));
    }

    private static bool Verifies(byte[] key, byte[] payload, byte[] signature) => VerifiedBundle.TryVerify(
        new Submission(new DeviceId(key), new Bundle(payload, new Signature(signature))), out _);
}
