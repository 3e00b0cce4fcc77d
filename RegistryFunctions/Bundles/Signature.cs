using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace RegistryFunctions.Bundles;

/// <summary>The 64 bytes of an Ed25519 signature, R then S (RFC 8032, section 5.1.6). Not known to be valid.</summary>
public readonly struct Signature
{
    /// <summary>Length of a signature in bytes.</summary>
    public const int Size = 64;

    private readonly Bytes _bytes;

    /// <summary>Takes the 64 bytes of a signature.</summary>
    /// <exception cref="ArgumentException"><paramref name="bytes"/> is not 64 bytes long.</exception>
    public Signature(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size)
        {
            throw new ArgumentException("A signature is 64 bytes.", nameof(bytes));
        }

        bytes.CopyTo(_bytes);
    }

    /// <summary>The 64 bytes.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> Span => _bytes;

    [InlineArray(Size)]
    private struct Bytes
    {
        private byte _first;
    }
}
