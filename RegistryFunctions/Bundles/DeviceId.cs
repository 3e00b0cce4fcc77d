using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace RegistryFunctions.Bundles;

/// <summary>
/// A device's name: the 32 bytes of its Ed25519 verifying key (RFC 8032, section 5.1.5). On the wire
/// 64 hex digits of either case. That the bytes are a usable key is known only once a signature verifies.
/// </summary>
public readonly struct DeviceId : IEquatable<DeviceId>
{
    /// <summary>Length of a device id in bytes.</summary>
    public const int Size = 32;

    private readonly Bytes _bytes;

    /// <summary>Takes the 32 bytes of a key.</summary>
    /// <exception cref="ArgumentException"><paramref name="bytes"/> is not 32 bytes long.</exception>
    public DeviceId(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size)
        {
            throw new ArgumentException("A device id is 32 bytes.", nameof(bytes));
        }

        bytes.CopyTo(_bytes);
    }

    /// <summary>Reads exactly 64 hex digits, UTF-8.</summary>
    public static bool TryParse(ReadOnlySpan<byte> hex, out DeviceId id)
    {
        Span<byte> bytes = stackalloc byte[Size];
        bool parsed = hex.Length == 2 * Size
            && Convert.FromHexString(hex, bytes, out _, out _) == OperationStatus.Done;
        id = parsed ? new DeviceId(bytes) : default;
        return parsed;
    }

    /// <summary>Reads exactly 64 hex digits.</summary>
    public static bool TryParse(ReadOnlySpan<char> hex, out DeviceId id)
    {
        Span<byte> bytes = stackalloc byte[Size];
        bool parsed = hex.Length == 2 * Size
            && Convert.FromHexString(hex, bytes, out _, out _) == OperationStatus.Done;
        id = parsed ? new DeviceId(bytes) : default;
        return parsed;
    }

    /// <summary>The 32 bytes.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> Span => _bytes;

    /// <inheritdoc/>
    public bool Equals(DeviceId other) => Span.SequenceEqual(other.Span);

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is DeviceId other && Equals(other);

    /// <summary>Another one in every process: whoever makes keys can't choose them to collide.</summary>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(Span);
        return hash.ToHashCode();
    }

    /// <summary>64 lower-case hex digits.</summary>
    public override string ToString() => Convert.ToHexStringLower(Span);

    /// <summary>Whether two ids are the same device.</summary>
    public static bool operator ==(DeviceId left, DeviceId right) => left.Equals(right);

    /// <summary>Whether two ids are different devices.</summary>
    public static bool operator !=(DeviceId left, DeviceId right) => !left.Equals(right);

    [InlineArray(Size)]
    private struct Bytes
    {
        private byte _first;
    }
}
