using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Content;

/// <summary>Something a device has published that its registry holds or remembers.</summary>
/// <param name="Seq">The number of its row, which grows in the order of acceptance. Another store numbers rows anew.</param>
/// <param name="Received">When it came, in ms since 1970-01-01 UTC.</param>
/// <param name="Digest">The digest of its payload.</param>
/// <param name="IsHeld">Whether the bundle is there; otherwise it was dropped, and its digest is remembered.</param>
/// <param name="Bundle">The bundle; null where it was dropped, or its row is damaged.</param>
internal sealed record Acceptance(long Seq, long Received, long Digest, bool IsHeld, Bundle? Bundle)
{
    /// <summary>Whether the row is not what was stored.</summary>
    public bool IsDamaged => IsHeld && Bundle is null;

    /// <summary>Whether another store keeps the same. Payloads are the same where their digests are, as for a replay.</summary>
    public bool IsSameAs(Acceptance other) =>
        Received == other.Received && Digest == other.Digest && IsHeld == other.IsHeld
        && (Bundle is null
            ? other.Bundle is null
            : other.Bundle is not null && Bundle.Signature.Span.SequenceEqual(other.Bundle.Signature.Span));
}

/// <summary>All that a registry keeps of a device.</summary>
/// <param name="Device">The device.</param>
/// <param name="Accepted">What it has published, oldest first; nothing where the registry does not know it.</param>
internal sealed record DeviceContent(DeviceId Device, IReadOnlyList<Acceptance> Accepted)
{
    /// <summary>The bundles among it.</summary>
    public IEnumerable<Acceptance> Held => Accepted.Where(accepted => accepted.IsHeld);

    /// <summary>Whether another store keeps the same of the device.</summary>
    public bool IsSameAs(DeviceContent other) =>
        Accepted.Count == other.Accepted.Count && Accepted.Zip(other.Accepted).All(pair => pair.First.IsSameAs(pair.Second));
}
