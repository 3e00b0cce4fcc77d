namespace RegistryFunctions.Tests.Support;

/// <summary>
/// A clock that, while held, lets nobody go on who asks it until the test says so. A store asks it once in every transaction
/// that writes: so a test holds the store there, for as long as it needs and without a lock that times out.
/// </summary>
internal sealed class HeldClock(DateTimeOffset now, bool held = true) : TimeProvider, IDisposable
{
    private readonly SemaphoreSlim _asked = new(0);
    private readonly SemaphoreSlim _answers = new(0);
    private volatile bool _held = held;
    private Exception? _failure;

    public void Hold() => _held = true;

    /// <summary>Completes when somebody waits for the time, once for each.</summary>
    public async Task AskedAsync() => Assert.True(await _asked.WaitAsync(TimeSpan.FromMinutes(1)));

    /// <summary>Lets one go on.</summary>
    public void Answer() => _answers.Release();

    /// <summary>Lets everybody go on from now on.</summary>
    public void Release()
    {
        _held = false;
        Answer();
    }

    /// <summary>Lets everybody go on from now on, but throws this at the one who waits.</summary>
    public void Fail(Exception failure)
    {
        _failure = failure;
        Release();
    }

    public override DateTimeOffset GetUtcNow()
    {
        if (_held)
        {
            _asked.Release();
            // Not for ever: a test that has failed closes the store.
            if (!_answers.Wait(TimeSpan.FromMinutes(2)))
            {
                _held = false;
            }

            if (Interlocked.Exchange(ref _failure, null) is { } failure)
            {
                throw failure;
            }
        }

        return now;
    }

    public void Dispose()
    {
        _asked.Dispose();
        _answers.Dispose();
    }
}
