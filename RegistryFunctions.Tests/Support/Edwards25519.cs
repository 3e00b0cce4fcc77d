using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Security.Cryptography;

namespace RegistryFunctions.Tests.Support;

/// <summary>
/// Arithmetic on the curve of Ed25519 (RFC 8032, section 5.1), slow and plain, to construct the signatures that an
/// attacker would: valid by some equation, yet not to be accepted.
/// </summary>
internal static class Edwards25519
{
    public static readonly BigInteger P = BigInteger.Pow(2, 255) - 19;

    /// <summary>Order of the base point.</summary>
    public static readonly BigInteger L =
        BigInteger.Pow(2, 252) + BigInteger.Parse("27742317777372353535851937790883648493");

    private static readonly BigInteger D = Mod(-121665 * Invert(121666));
    private static readonly BigInteger SqrtMinusOne = BigInteger.ModPow(2, (P - 1) / 4, P);

    public static Point Identity { get; } = new(0, 1);

    public static Point B { get; } = Decompress(Mod(4 * Invert(5)), odd: false);

    /// <summary>A point of order 8; its multiples are the eight points of small order.</summary>
    public static Point Torsion { get; } = FindTorsion();

    public static BigInteger RandomScalar() => new BigInteger(RandomNumberGenerator.GetBytes(64), isUnsigned: true) % L;

    public static byte[] Encode(BigInteger scalar)
    {
        byte[] bytes = new byte[32];
        Assert.True(scalar.TryWriteBytes(bytes, out _, isUnsigned: true));
        return bytes;
    }

    /// <summary>The point that 32 bytes stand for (RFC 8032, section 5.1.3).</summary>
    public static Point Decode(byte[] bytes)
    {
        byte[] y = [.. bytes];
        y[31] &= 0x7f;
        return Decompress(new BigInteger(y, isUnsigned: true), odd: (bytes[31] & 0x80) != 0);
    }

    /// <summary>SHA-512(R ‖ A ‖ M) mod L.</summary>
    public static BigInteger Challenge(byte[] r, byte[] a, byte[] payload) =>
        new BigInteger(SHA512.HashData([.. r, .. a, .. payload]), isUnsigned: true) % L;

    private static BigInteger Mod(BigInteger n) => ((n % P) + P) % P;

    private static BigInteger Invert(BigInteger n) => BigInteger.ModPow(Mod(n), P - 2, P);

    private static Point FindTorsion()
    {
        // Any point times L lies in the group of order 8; most y give one of full order.
        for (BigInteger y = 2; ; y++)
        {
            if (TryDecompress(y, odd: false, out Point? point) && 4 * (L * point) != Identity)
            {
                return L * point;
            }
        }
    }

    private static Point Decompress(BigInteger y, bool odd) =>
        TryDecompress(y, odd, out Point? point) ? point : throw new ArgumentException("not on the curve", nameof(y));

    private static bool TryDecompress(BigInteger y, bool odd, [NotNullWhen(true)] out Point? point)
    {
        BigInteger square = Mod((y * y - 1) * Invert(D * y * y + 1));
        BigInteger x = BigInteger.ModPow(square, (P + 3) / 8, P);
        if (Mod(x * x) != square)
        {
            x = Mod(x * SqrtMinusOne);
        }

        bool found = Mod(x * x) == square;
        point = found ? new Point(x.IsEven == odd ? Mod(-x) : x, y) : null;
        return found;
    }

    /// <summary>A point in affine coordinates.</summary>
    internal sealed record Point(BigInteger X, BigInteger Y)
    {
        public static Point operator +(Point a, Point b)
        {
            BigInteger product = D * a.X * b.X * a.Y * b.Y;
            return new Point(
                Mod((a.X * b.Y + a.Y * b.X) * Invert(1 + product)), Mod((a.Y * b.Y + a.X * b.X) * Invert(1 - product)));
        }

        public static Point operator *(BigInteger n, Point point)
        {
            Point sum = Identity;
            for (Point power = point; n > 0; n >>= 1, power += power)
            {
                sum = n.IsEven ? sum : sum + power;
            }

            return sum;
        }

        /// <summary>y with the lowest bit of x on top (RFC 8032, section 5.1.2).</summary>
        public byte[] Encode() => Encode(Y);

        /// <summary>Like <see cref="Encode()"/> but with y + p where that fits: not the canonical encoding.</summary>
        public byte[] EncodeNonCanonically() => Encode(Y + P);

        private byte[] Encode(BigInteger y)
        {
            byte[] bytes = Edwards25519.Encode(y);
            Assert.Equal(0, bytes[31] & 0x80);
            bytes[31] |= X.IsEven ? (byte)0 : (byte)0x80;
            return bytes;
        }
    }
}
