using Microsoft.Data.Sqlite;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>A connection that fetches. Not thread-safe.</summary>
internal sealed class SqliteReader(SqliteConnection connection) : IDisposable
{
    // The index gives a device's few bundles; the last accepted is the one with the highest sequence.
    private readonly SqliteStatement _newest = new(
        connection,
        "SELECT signature, payload FROM bundle WHERE seq = (SELECT max(seq) FROM bundle WHERE device = ?)");

    /// <summary>The bundle of the device with the highest sequence, or null.</summary>
    public Bundle? FindNewest(in DeviceId device)
    {
        _newest.Bind(1, device.Span);
        try
        {
            return _newest.Step() ? new Bundle(_newest.Blob(1).ToArray(), new Signature(_newest.Blob(0))) : null;
        }
        finally
        {
            _newest.Reset();
        }
    }

    /// <summary>Closes the connection.</summary>
    public void Dispose()
    {
        _newest.Dispose();
        connection.Dispose();
    }
}
