namespace RegistryFunctions.Tests.Support;

/// <summary>
/// A clock that, while held, lets nobody go on who asks it until the test says so. A store asks it once in every transaction
/// that writes: so a test holds the store there, for as long as it needs and without a lock that times out.
/// </summary>
internal sealed class HeldClock(DateTimeOffset now, bool held = true) : TimeProvider, IDisposable
{
    private readonly SemaphoreSlim _asked = new(0);
    private readonly SemaphoreSlim _answers = new(0);
    private readonly Lock _lock = new();
    private bool _held = held;
    private int _waiting;
    private Exception? _failure;

    public void Hold()
    {
        lock (_lock)
        {
            _held = true;
        }
    }

    /// <summary>Completes when somebody waits for the time, once for each.</summary>
    public async Task AskedAsync() => Assert.True(await _asked.WaitAsync(TimeSpan.FromMinutes(1)));

    /// <summary>Lets one go on.</summary>
    public void Answer()
    {
        lock (_lock)
        {
            _waiting--;
            _answers.Release();
        }
    }

    /// <summary>Lets everybody go on from now on.</summary>
    public void Release()
    {
        lock (_lock)
        {
            for (_held = false; _waiting > 0; _waiting--)
            {
                _answers.Release();
            }
        }
    }

    /// <summary>Lets everybody go on from now on, but throws this at the one who waits.</summary>
    public void Fail(Exception failure)
    {
        _failure = failure;
        Release();
    }

    public override DateTimeOffset GetUtcNow()
    {
        lock (_lock)
        {
            if (!_held)
            {
                return now;
            }

            _waiting++;
        }

        _asked.Release();
        // Not for ever: a test that has failed closes the store.
        if (!_answers.Wait(TimeSpan.FromMinutes(2)))
        {
            Release();
        }

        return Interlocked.Exchange(ref _failure, null) is { } failure ? throw failure : now;
    }

    public void Dispose()
    {
        _asked.Dispose();
        _answers.Dispose();
    }
}
