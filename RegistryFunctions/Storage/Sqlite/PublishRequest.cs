using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>Add a bundle. The caller goes on on the thread that tells it, which must not be the writer's.</summary>
internal sealed class PublishRequest(VerifiedBundle bundle, CancellationToken cancellationToken)
    : WriteRequest<PublishOutcome>(TaskCreationOptions.None, cancellationToken)
{
    // Here and not where it is used: the writer's thread is the one that all wait for.
    private readonly long _digest = Digest.OfPayload(bundle.Bundle.Payload.Span);
    private PublishOutcome? _outcome;

    /// <summary>Writes the bundle, unless the caller has gone. Belongs inside a transaction.</summary>
    public void Write(SqliteBundles bundles, DateTimeOffset received) =>
        _outcome = IsAbandoned ? null : bundles.Publish(bundle, _digest, received);

    /// <summary>Tells the caller, once the transaction is durable.</summary>
    public void Succeed()
    {
        if (_outcome is { } outcome)
        {
            Succeed(outcome);
        }
        else
        {
            Cancel();
        }
    }
}
