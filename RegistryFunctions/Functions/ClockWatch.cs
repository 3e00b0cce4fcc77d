namespace RegistryFunctions.Functions;

/// <summary>Tells a clock that was set forward from time that has passed, by the machine's counter that nobody sets.</summary>
public sealed class ClockWatch(TimeProvider time)
{
    private static readonly TimeSpan Tolerance = TimeSpan.FromDays(1);

    private Reading? _trusted;

    /// <summary>Whether there is nothing to compare the clock with.</summary>
    public bool IsUnknown => _trusted is null;

    /// <summary>
    /// Whether the clock may have been set forward since it was last trusted; while it is unknown it may.
    /// </summary>
    public bool MayHaveLeapt() =>
        _trusted is not { } last
        || time.GetUtcNow() - last.Clock - time.GetElapsedTime(last.Counter) > Tolerance;

    /// <summary>Takes the clock as it is now for right.</summary>
    public void Trust() => _trusted = new Reading(time.GetUtcNow(), time.GetTimestamp());

    private sealed record Reading(DateTimeOffset Clock, long Counter);
}
