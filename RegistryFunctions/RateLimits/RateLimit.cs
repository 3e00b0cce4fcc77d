using System.Threading.RateLimiting;

namespace RegistryFunctions.RateLimits;

/// <summary>
/// Lets each key do something so many times a period: all at once, then evenly as time goes by. May be called at once from
/// any thread.
/// </summary>
/// <remarks>
/// The buckets are the framework's, only the eviction is not: its partitioned limiter keeps a bucket until it is full again,
/// and visits every bucket ten times a second. Anyone can make a new key for every request, so that would grow without end.
/// Here memory is bounded, and busy keys stay even when many others appear once.
/// </remarks>
public sealed class RateLimit<TKey>
    where TKey : notnull
{
    /// <summary>How many keys are remembered at most.</summary>
    public const int MaxKeys = 100_000;

    private readonly TokenBucketRateLimiterOptions? _bucket;
    private readonly Lock _lock = new();

    // Two generations: what was asked for lately, and what was before that. When the first is half of all, it becomes the
    // second, and what nobody has asked for meanwhile is forgotten.
    private Dictionary<TKey, TokenBucketRateLimiter> _recent = [];
    private Dictionary<TKey, TokenBucketRateLimiter> _earlier = [];

    /// <summary>A limit of <paramref name="allowance"/> times a period; none where that is 0.</summary>
    public RateLimit(int allowance, TimeSpan period)
    {
        if (allowance == 0)
        {
            return;
        }

        RetryAfter = period / allowance;
        _bucket = new TokenBucketRateLimiterOptions
        {
            TokenLimit = allowance,
            TokensPerPeriod = 1,
            ReplenishmentPeriod = RetryAfter,
            AutoReplenishment = false,
            QueueLimit = 0,
        };
    }

    /// <summary>Whether there is a limit.</summary>
    public bool IsOn => _bucket is not null;

    /// <summary>How long at most a refused key has to wait.</summary>
    public TimeSpan RetryAfter { get; }

    /// <summary>How many keys are remembered.</summary>
    internal int Keys
    {
        get
        {
            lock (_lock)
            {
                return _recent.Count + _earlier.Count;
            }
        }
    }

    /// <summary>Whether the key may do it once more now, which is then counted.</summary>
    public bool TryTake(TKey key)
    {
        if (_bucket is null)
        {
            return true;
        }

        TokenBucketRateLimiter bucket = BucketOf(key, _bucket);
        bucket.TryReplenish();
        using RateLimitLease lease = bucket.AttemptAcquire();
        return lease.IsAcquired;
    }

    /// <summary>How many times more the key may do it now. Counts nothing.</summary>
    public int Left(TKey key)
    {
        if (_bucket is null)
        {
            return int.MaxValue;
        }

        TokenBucketRateLimiter bucket = BucketOf(key, _bucket);
        bucket.TryReplenish();
        return (int)bucket.GetStatistics()!.CurrentAvailablePermits;
    }

    private TokenBucketRateLimiter BucketOf(TKey key, TokenBucketRateLimiterOptions options)
    {
        lock (_lock)
        {
            if (_recent.TryGetValue(key, out TokenBucketRateLimiter? bucket))
            {
                return bucket;
            }

            if (!_earlier.Remove(key, out bucket))
            {
                bucket = new TokenBucketRateLimiter(options);
            }

            if (_recent.Count == MaxKeys / 2)
            {
                (_recent, _earlier) = (_earlier, _recent);
                _recent.Clear();
            }

            _recent.Add(key, bucket);
            return bucket;
        }
    }
}
