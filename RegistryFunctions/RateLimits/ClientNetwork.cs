using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace RegistryFunctions.RateLimits;

/// <summary>
/// Whom a request is counted to: an IPv4 address, or the /64 that an IPv6 address is in, which a client usually owns as a whole
/// (RFC 4291, section 2.5.4).
/// </summary>
public readonly record struct ClientNetwork
{
    private readonly AddressFamily _family;
    private readonly ulong _network;

    /// <summary>Takes the address of a client; an IPv4 address may come mapped to IPv6.</summary>
    public ClientNetwork(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        address.TryWriteBytes(bytes, out _);
        _family = address.AddressFamily;
        _network = _family == AddressFamily.InterNetworkV6
            ? BinaryPrimitives.ReadUInt64BigEndian(bytes)
            : BinaryPrimitives.ReadUInt32BigEndian(bytes);
    }
}
