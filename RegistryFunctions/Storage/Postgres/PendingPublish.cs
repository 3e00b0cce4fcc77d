using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Postgres;

/// <summary>A publish that waits for the writer.</summary>
internal sealed class PendingPublish(VerifiedBundle bundle, CancellationToken cancellationToken)
{
    private readonly TaskCompletionSource<PublishOutcome> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public VerifiedBundle Bundle => bundle;

    /// <summary>The digest of the payload.</summary>
    public long Digest { get; } = Storage.Digest.OfPayload(bundle.Bundle.Payload.Span);

    /// <summary>What its transaction has made of it.</summary>
    public PublishOutcome Outcome { get; set; }

    /// <summary>Completes once the transaction is durable.</summary>
    public Task<PublishOutcome> Completion => _completion.Task;

    /// <summary>Whether the caller has gone, and been told so.</summary>
    public bool IsAbandoned() => cancellationToken.IsCancellationRequested && _completion.TrySetCanceled(cancellationToken);

    /// <summary>Tells the caller, once the transaction is durable.</summary>
    public void Succeed() => _completion.TrySetResult(Outcome);

    /// <summary>Tells the caller that it was not done, or not known to be.</summary>
    public void Fail(Exception reason) => _completion.TrySetException(reason);
}
