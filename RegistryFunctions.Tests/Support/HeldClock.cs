namespace RegistryFunctions.Tests.Support;

/// <summary>
/// A clock that lets nobody go on who asks it, until released. The writer asks once it has taken what waits: so a test
/// holds it there for as long as it needs.
/// </summary>
internal sealed class HeldClock : TimeProvider, IDisposable
{
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim _released = new();

    /// <summary>Completes when somebody waits for the time.</summary>
    public Task Asked => _asked.Task;

    public void Release() => _released.Set();

    public override DateTimeOffset GetUtcNow()
    {
        _asked.TrySetResult();
        _released.Wait();
        return DateTimeOffset.UnixEpoch;
    }

    public void Dispose() => _released.Dispose();
}
