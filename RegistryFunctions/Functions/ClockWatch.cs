namespace RegistryFunctions.Functions;

/// <summary>Tells a clock that was set forward from time that has passed, by the machine's counter that nobody sets.</summary>
internal sealed class ClockWatch(TimeProvider time)
{
    private static readonly TimeSpan Tolerance = TimeSpan.FromDays(1);

    private readonly Lock _lock = new();
    private (DateTimeOffset Clock, long Counter)? _last;

    /// <summary>
    /// Whether the clock may have been set forward since this was last asked; the first time it may, as there is nothing to
    /// compare with.
    /// </summary>
    public bool MayHaveLeapt()
    {
        (DateTimeOffset Clock, long Counter) now = (time.GetUtcNow(), time.GetTimestamp());
        lock (_lock)
        {
            bool may = _last is not { } last
                || now.Clock - last.Clock - time.GetElapsedTime(last.Counter, now.Counter) > Tolerance;
            _last = now;
            return may;
        }
    }
}
