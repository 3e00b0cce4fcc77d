using Microsoft.Data.Sqlite;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>A connection that fetches. Not thread-safe.</summary>
internal sealed class SqliteReader(SqliteConnection connection) : IDisposable
{
    // The index gives a device's few bundles; the last accepted is the one with the highest sequence.
    private readonly SqliteStatement _newest = new(
        connection,
        """
        SELECT signature, payload, digest, checksum FROM bundle
        WHERE seq = (SELECT max(seq) FROM bundle WHERE device = ?)
        """);

    /// <summary>The bundle of the device with the highest sequence, or null.</summary>
    /// <exception cref="StoreException">What the file holds is not what was stored.</exception>
    public Bundle? FindNewest(in DeviceId device)
    {
        _newest.Bind(1, device.Span);
        try
        {
            return _newest.Step() ? ReadBundle(device) : null;
        }
        finally
        {
            _newest.Reset();
        }
    }

    /// <summary>A row is not what was stored.</summary>
    public static StoreException Damaged() =>
        new(StoreFault.Unavailable, "a stored bundle is damaged: check the disk, and restore the database from a backup");

    /// <summary>Closes the connection.</summary>
    public void Dispose()
    {
        _newest.Dispose();
        connection.Dispose();
    }

    private Bundle ReadBundle(in DeviceId device) =>
        StoredBundle.TryRead(
            device, _newest.Blob(0), _newest.Blob(1), digest: _newest.Int64(2), checksum: _newest.Int64(3), out Bundle? bundle)
            ? bundle
            : throw Damaged();
}
