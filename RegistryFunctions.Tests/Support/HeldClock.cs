namespace RegistryFunctions.Tests.Support;

/// <summary>
/// A clock that, while held, lets nobody go on who asks it until the test says so. The writer asks it once in every
/// transaction: so a test holds the writer there, for as long as it needs and without a lock that times out.
/// </summary>
internal sealed class HeldClock(DateTimeOffset now, bool held = true) : TimeProvider, IDisposable
{
    private readonly SemaphoreSlim _asked = new(0);
    private readonly SemaphoreSlim _answers = new(0);
    private volatile bool _held = held;

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

    public override DateTimeOffset GetUtcNow()
    {
        if (_held)
        {
            _asked.Release();
            _answers.Wait();
        }

        return now;
    }

    public void Dispose()
    {
        _asked.Dispose();
        _answers.Dispose();
    }
}
