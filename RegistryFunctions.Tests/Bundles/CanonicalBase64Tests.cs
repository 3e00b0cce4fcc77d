using System.Security.Cryptography;
using System.Text;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Tests.Bundles;

public class CanonicalBase64Tests
{
    [Fact]
    public void What_the_framework_encodes_decodes_to_the_same_bytes()
    {
        for (int length = 0; length < 200; length++)
        {
            byte[] bytes = RandomNumberGenerator.GetBytes(length);
            Assert.True(TryDecode(Convert.ToBase64String(bytes), out byte[] decoded));
            Assert.Equal(bytes, decoded);
        }
    }

    [Theory]
    [InlineData("A")]
    [InlineData("AA")]
    [InlineData("AAA")]
    [InlineData("AAAAA")]
    [InlineData("=")]
    [InlineData("==")]
    [InlineData("====")]
    [InlineData("A===")]
    [InlineData("AA=A")]
    [InlineData("AA==AAAA")]
    [InlineData("AAA=AAAA")]
    [InlineData("AAAA====")]
    public void Missing_or_misplaced_padding_is_refused(string text) => Assert.False(TryDecode(text, out _));

    [Theory]
    [InlineData(" AAAA")]
    [InlineData("AAAA ")]
    [InlineData("AAAA\n")]
    [InlineData("AA AA")]
    [InlineData("    ")]
    [InlineData("AAAA    ")]
    [InlineData("AA==    ")]
    [InlineData("AAAAAA =")]
    [InlineData("AAAA\r\n\r\n")]
    [InlineData("AAA\tAAA\tAAA\tAAA\t")]
    public void White_space_is_refused(string text) => Assert.False(TryDecode(text, out _));

    [Theory]
    [InlineData("AB==")]
    [InlineData("AP==")]
    [InlineData("AAB=")]
    [InlineData("AAAAAAD=")]
    public void Stray_trailing_bits_are_refused(string text) => Assert.False(TryDecode(text, out _));

    [Theory]
    [InlineData("AA-_")]
    [InlineData("AA*A")]
    [InlineData("AA\0A")]
    [InlineData("AAéA")]
    public void Other_alphabets_are_refused(string text) => Assert.False(TryDecode(text, out _));

    [Fact]
    public void Every_text_of_four_characters_decodes_only_if_encoding_gives_it_back()
    {
        const string Alphabet = "AQgw/+= \nB";
        foreach (string text in
            from a in Alphabet
            from b in Alphabet
            from c in Alphabet
            from d in Alphabet
            select new string([a, b, c, d]))
        {
            Assert.Equal(FrameworkGivesBack(text), TryDecode(text, out _));
        }
    }

    private static bool FrameworkGivesBack(string text)
    {
        try
        {
            return Convert.ToBase64String(Convert.FromBase64String(text)) == text;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private static bool TryDecode(string text, out byte[] bytes)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        bytes = new byte[int.Max(0, CanonicalBase64.DecodedLength(utf8))];
        return CanonicalBase64.TryDecode(utf8, bytes);
    }
}
