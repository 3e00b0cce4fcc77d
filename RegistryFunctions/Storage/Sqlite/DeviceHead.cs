using System.Buffers.Binary;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>The number by which devices are ordered first.</summary>
internal static class DeviceHead
{
    /// <summary>
    /// The first 8 bytes of a device id as one number; of no bytes at all the one that comes before every other. The tree of all
    /// devices is ordered by it first: SQLite compares numbers several times faster than blobs, and keys are uniformly
    /// distributed.
    /// </summary>
    public static long Of(ReadOnlySpan<byte> device) =>
        device.IsEmpty ? long.MinValue : BinaryPrimitives.ReadInt64BigEndian(device);
}
