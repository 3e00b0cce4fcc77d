namespace RegistryFunctions.Storage;

/// <summary>Why a store can't do now what was asked.</summary>
public enum StoreFault
{
    /// <summary>Too much is waiting already, another process holds the lock, or the store is closing.</summary>
    Busy,

    /// <summary>There is no room left to write.</summary>
    Full,

    /// <summary>The storage does not work: an input/output error, or missing rights.</summary>
    Unavailable,

    /// <summary>What was asked for can't be read, or is not what was stored. Something else may be sound.</summary>
    Damaged,
}

/// <summary>
/// A foreseeable fault of the storage. Nothing was changed, save that a publish interrupted by a crash may or
/// may not be there after it.
/// </summary>
public sealed class StoreException(StoreFault fault, string message, Exception? inner = null)
    : Exception(message, inner)
{
    /// <summary>What a caller can act on; the message and the inner exception are for the log.</summary>
    public StoreFault Fault { get; } = fault;
}

/// <summary>The store can't be opened as configured. The message is one line that says what to do.</summary>
public sealed class StoreOpenException(string message, Exception? inner = null) : Exception(message, inner);
