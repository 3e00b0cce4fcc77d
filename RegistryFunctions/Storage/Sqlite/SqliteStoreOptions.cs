namespace RegistryFunctions.Storage.Sqlite;

/// <summary>Where SQLite keeps bundles.</summary>
/// <param name="Path">The file, on a local disk.</param>
/// <param name="Store">What it keeps there.</param>
/// <param name="MaxBytes">Largest size of the file that publishes may bring it to, in bytes; 0 for no limit.</param>
public sealed record SqliteStoreOptions(string Path, StoreOptions Store, long MaxBytes = 0);
