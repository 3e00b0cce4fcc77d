namespace RegistryFunctions.Benchmarks.Load;

/// <summary>How long requests took, to the microsecond.</summary>
internal sealed class Latencies
{
    // Slower ones are rare, and kept one by one.
    private readonly int[] _counts = new int[100_000];
    private readonly List<long> _slower = [];

    /// <summary>How many there are.</summary>
    public long Count { get; private set; }

    /// <summary>The slowest, in milliseconds.</summary>
    public double MaxMs => PercentileMs(1);

    /// <summary>The one that half of them do not exceed, in milliseconds.</summary>
    public double MedianMs => PercentileMs(0.5);

    public void Add(TimeSpan latency)
    {
        long micros = (long)latency.TotalMicroseconds;
        Count++;
        if (micros < _counts.Length)
        {
            _counts[micros]++;
        }
        else
        {
            _slower.Add(micros);
        }
    }

    /// <summary>The latency that this share of the requests, from 0 to 1, does not exceed, in milliseconds.</summary>
    public double PercentileMs(double share)
    {
        long rank = long.Max(1, (long)Math.Ceiling(Count * share));
        long seen = 0;
        for (int micros = 0; micros < _counts.Length; micros++)
        {
            seen += _counts[micros];
            if (seen >= rank)
            {
                return micros / 1_000.0;
            }
        }

        _slower.Sort();
        return _slower.Count == 0 ? 0 : _slower[(int)(rank - seen - 1)] / 1_000.0;
    }
}
