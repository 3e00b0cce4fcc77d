using System.Buffers.Binary;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// The first 8 bytes of a device id as one number. The tree of all devices is ordered by it first: SQLite compares numbers
/// several times faster than blobs, and keys are uniformly distributed.
/// </summary>
internal static class DeviceHead
{
    /// <summary>The head of a device id, or of no bytes at all that which comes before every other.</summary>
    public static long Of(ReadOnlySpan<byte> device) =>
        device.IsEmpty ? long.MinValue : BinaryPrimitives.ReadInt64BigEndian(device);
}
