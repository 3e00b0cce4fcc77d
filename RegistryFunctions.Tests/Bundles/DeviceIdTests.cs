using RegistryFunctions.Bundles;

namespace RegistryFunctions.Tests.Bundles;

public class DeviceIdTests
{
    private const string Lower = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    [Fact]
    public void Hex_of_either_case_is_one_device()
    {
        Assert.True(DeviceId.TryParse(Lower, out DeviceId lower));
        Assert.True(DeviceId.TryParse(Lower.ToUpperInvariant(), out DeviceId upper));
        Assert.Equal(lower, upper);
        Assert.Equal(lower.GetHashCode(), upper.GetHashCode());
        Assert.Equal(Lower, upper.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("00112233445566778899aabbccddeeff00112233445566778899aabbccddee")]
    [InlineData("00112233445566778899aabbccddeeff00112233445566778899aabbccddeef")]
    [InlineData("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff0")]
    [InlineData("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00")]
    [InlineData("0x112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")]
    [InlineData("0011223344556677 899aabbccddeeff00112233445566778899aabbccddeeff")]
    [InlineData("g0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")]
    public void Anything_but_64_hex_digits_is_refused(string text)
    {
        Assert.False(DeviceId.TryParse(text, out _));
        Assert.False(DeviceId.TryParse(System.Text.Encoding.UTF8.GetBytes(text), out _));
    }

    [Fact]
    public void The_32_bytes_are_those_of_the_hex()
    {
        Assert.True(DeviceId.TryParse(Lower, out DeviceId id));
        Assert.Equal(Convert.FromHexString(Lower), id.Span);
    }
}
