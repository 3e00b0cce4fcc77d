namespace RegistryFunctions.Storage.Sqlite;

/// <summary>How a store keeps bundles.</summary>
/// <param name="Path">The file, on a local disk.</param>
/// <param name="Keep">How many bundles a device may hold, at least one.</param>
/// <param name="ReplayWindow">How long after its acceptance a superseded payload is remembered; zero for not at all.</param>
public sealed record SqliteStoreOptions(string Path, int Keep, TimeSpan ReplayWindow);
