namespace RegistryFunctions.Storage;

/// <summary>What became of a bundle that was published.</summary>
public enum PublishOutcome
{
    /// <summary>It is its device's newest, and durable.</summary>
    Stored,

    /// <summary>Its payload is that of the device's newest bundle already; nothing changed.</summary>
    AlreadyCurrent,

    /// <summary>Its payload was accepted for the device earlier and superseded since; nothing changed.</summary>
    Replayed,

    /// <summary>It is new, but its device has added too many lately; nothing changed.</summary>
    TooMany,
}
