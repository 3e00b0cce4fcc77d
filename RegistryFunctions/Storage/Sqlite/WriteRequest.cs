namespace RegistryFunctions.Storage.Sqlite;

/// <summary>Something the writer is asked to do; its caller waits for the answer.</summary>
internal abstract class WriteRequest(CancellationToken cancellationToken)
{
    /// <summary>Whether the caller has gone; if so, tells it so.</summary>
    public bool IsAbandoned()
    {
        if (cancellationToken.IsCancellationRequested)
        {
            Cancel(cancellationToken);
        }

        return cancellationToken.IsCancellationRequested;
    }

    /// <summary>Tells the caller that nothing was done.</summary>
    public abstract void Fail(Exception reason);

    protected abstract void Cancel(CancellationToken cancelled);
}

/// <summary>A request that is answered with a <typeparamref name="T"/>.</summary>
internal abstract class WriteRequest<T>(CancellationToken cancellationToken) : WriteRequest(cancellationToken)
{
    private readonly TaskCompletionSource<T> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<T> Completion => _completion.Task;

    public override void Fail(Exception reason) => _completion.TrySetException(reason);

    protected void Succeed(T answer) => _completion.TrySetResult(answer);

    protected override void Cancel(CancellationToken cancelled) => _completion.TrySetCanceled(cancelled);
}
