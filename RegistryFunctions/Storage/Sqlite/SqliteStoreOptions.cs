namespace RegistryFunctions.Storage.Sqlite;

/// <summary>Where SQLite keeps bundles.</summary>
/// <param name="Path">The file, on a local disk.</param>
/// <param name="Store">What it keeps there.</param>
/// <param name="MaxBytes">Largest size of the file that publishes may bring it to, in bytes; 0 for no limit.</param>
/// <param name="AllowNetworkFs">Whether the file may be on a network file system.</param>
public sealed record SqliteStoreOptions(string Path, StoreOptions Store, long MaxBytes = 0, bool AllowNetworkFs = false);
