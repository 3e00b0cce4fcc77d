namespace RegistryFunctions.Storage.Sqlite;

/// <summary>Something the writer is asked to do.</summary>
internal abstract class WriteRequest(CancellationToken cancellationToken)
{
    /// <summary>Whether the caller has gone.</summary>
    public bool IsAbandoned => cancellationToken.IsCancellationRequested;

    /// <summary>Tells the caller that nothing was done.</summary>
    public abstract void Fail(Exception reason);
}

/// <summary>A request that is answered with a <typeparamref name="T"/>.</summary>
/// <param name="options">Where the caller goes on.</param>
/// <param name="cancellationToken">Cancelled when the caller goes.</param>
internal abstract class WriteRequest<T>(TaskCreationOptions options, CancellationToken cancellationToken)
    : WriteRequest(cancellationToken)
{
    private readonly TaskCompletionSource<T> _completion = new(options);

    /// <summary>Completes with the answer.</summary>
    public Task<T> Completion => _completion.Task;

    public override void Fail(Exception reason) => _completion.TrySetException(reason);

    protected void Succeed(T answer) => _completion.TrySetResult(answer);

    protected void Cancel() => _completion.TrySetCanceled();
}
