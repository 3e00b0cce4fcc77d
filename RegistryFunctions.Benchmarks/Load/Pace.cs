using System.Diagnostics;

namespace RegistryFunctions.Benchmarks.Load;

/// <summary>When requests are sent.</summary>
internal abstract class Pace
{
    /// <summary>As soon as a connection has its answer: the most that the server takes.</summary>
    public static Pace Unlimited() => new UnlimitedPace();

    /// <summary>
    /// So many a second, however long answers take. A request that has to wait for a connection is late, and its
    /// latency counts from when it should have been sent.
    /// </summary>
    public static Pace PerSecond(double requests) => new SteadyPace(requests);

    /// <summary>Starts at a timestamp of <see cref="Stopwatch"/>.</summary>
    public virtual void Start(long now)
    {
    }

    /// <summary>Whether a request is due; <paramref name="due"/> is the time from which its latency counts.</summary>
    public abstract bool TryTake(long now, out long due);

    /// <summary>How long until the next request is due.</summary>
    public abstract TimeSpan UntilNext(long now);

    private sealed class UnlimitedPace : Pace
    {
        public override bool TryTake(long now, out long due)
        {
            due = now;
            return true;
        }

        public override TimeSpan UntilNext(long now) => TimeSpan.Zero;
    }

    private sealed class SteadyPace(double perSecond) : Pace
    {
        private readonly double _interval = Stopwatch.Frequency / perSecond;
        private double _next;

        public override void Start(long now) => _next = now;

        public override bool TryTake(long now, out long due)
        {
            due = (long)_next;
            bool isDue = due <= now;
            _next += isDue ? _interval : 0;
            return isDue;
        }

        public override TimeSpan UntilNext(long now) => Stopwatch.GetElapsedTime(now, long.Max(now, (long)_next));
    }
}
