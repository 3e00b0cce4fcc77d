using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>Something that waits for the writer.</summary>
internal abstract class WriteRequest
{
    /// <summary>Tells the caller that nothing was done.</summary>
    public abstract void Fail(Exception reason);
}

/// <summary>Add a bundle. Continuations run on the completing thread, which must not be the writer's.</summary>
internal sealed class PublishRequest(VerifiedBundle bundle, CancellationToken cancellationToken) : WriteRequest
{
    private readonly TaskCompletionSource<PublishOutcome> _completion = new();

    // Hashed by the caller: the writer is the bottleneck.
    private readonly long _digest = Digest.OfPayload(bundle.Bundle.Payload.Span);
    private PublishOutcome? _outcome;

    public VerifiedBundle Bundle => bundle;

    /// <summary>Whether its transaction has added the bundle.</summary>
    public bool IsStored => _outcome is PublishOutcome.Stored;

    /// <summary>Completes once the transaction is durable.</summary>
    public Task<PublishOutcome> Completion => _completion.Task;

    /// <summary>Writes the bundle, unless the caller has gone. Belongs inside a transaction.</summary>
    /// <param name="table">Where to.</param>
    /// <param name="received">When it came.</param>
    /// <param name="left">How many bundles each device may still add, which this counts down; null for any number.</param>
    public void Write(BundleTable table, DateTimeOffset received, Dictionary<DeviceId, int>? left)
    {
        bool mayAdd = left is null || left[bundle.Device] > 0;
        _outcome = cancellationToken.IsCancellationRequested ? null : table.Publish(bundle, _digest, received, mayAdd);
        if (left is not null && IsStored)
        {
            left[bundle.Device]--;
        }
    }

    /// <summary>Tells the caller, once the transaction is durable.</summary>
    public void Succeed()
    {
        if (_outcome is { } outcome)
        {
            _completion.TrySetResult(outcome);
        }
        else
        {
            _completion.TrySetCanceled(cancellationToken);
        }
    }

    public override void Fail(Exception reason) => _completion.TrySetException(reason);
}

/// <summary>Anything else: done between two batches of publishes, in transactions of its own.</summary>
internal sealed class WriteJob(Action<SqliteWriteConnection> work) : WriteRequest
{
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when it is done.</summary>
    public Task Completion => _completion.Task;

    /// <summary>Does it, and tells the caller unless it throws.</summary>
    public void Run(SqliteWriteConnection connection)
    {
        work(connection);
        _completion.TrySetResult();
    }

    public override void Fail(Exception reason) => _completion.TrySetException(reason);
}
