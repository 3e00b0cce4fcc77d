using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Tests.Storage;

/// <summary>
/// The data of one kind of store, empty at first: the stores opened on it, as if by several processes, and what a test sees
/// beside them. Disposing removes it. A kind that this machine lacks skips the test.
/// </summary>
internal interface IStoreData : IAsyncDisposable
{
    /// <summary>How many samples a property test can afford; -1 for CsCheck's own number.</summary>
    int Samples { get; }

    /// <summary>What names it on the command line.</summary>
    string Db { get; }

    /// <summary>Opens a store, which asks for the time inside each of its transactions and not before.</summary>
    ValueTask<IBundleStore> OpenAsync(StoreOptions options, TimeProvider time);

    /// <summary>How many bundles of a device the database holds, and how many it only remembers.</summary>
    ValueTask<(long Held, long Remembered)> CountAsync(DeviceId device);

    /// <summary>Changes it past every store.</summary>
    void Execute(string sql);

    /// <summary>Keeps every store from writing, as another process could, until that is disposed of.</summary>
    ValueTask<IAsyncDisposable> LockAsync();
}
