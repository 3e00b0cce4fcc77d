using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>Something the writer is asked to do; its caller waits on <see cref="Completion"/>.</summary>
internal abstract class WriteRequest(CancellationToken cancellationToken)
{
    private readonly TaskCompletionSource<int> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes with the number of bundles that the request added or dropped.</summary>
    public Task<int> Completion => _completion.Task;

    /// <summary>Whether the caller has gone; if so, tells it so.</summary>
    public bool IsAbandoned() => cancellationToken.IsCancellationRequested && _completion.TrySetCanceled(cancellationToken);

    public void Succeed(int bundles) => _completion.TrySetResult(bundles);

    public void Fail(Exception reason) => _completion.TrySetException(reason);
}

/// <summary>Add a bundle.</summary>
internal sealed class PublishRequest(VerifiedBundle bundle, CancellationToken cancellationToken)
    : WriteRequest(cancellationToken)
{
    public VerifiedBundle Bundle { get; } = bundle;
}

/// <summary>
/// Drop what is due. Done in steps, each a transaction of its own, so that publishes go between them.
/// </summary>
internal sealed class PruneRequest(DateTimeOffset cutoff, CancellationToken cancellationToken)
    : WriteRequest(cancellationToken)
{
    // A step touches a page of the index by device for nearly every bundle it drops: this many take a few
    // milliseconds.
    private const int BundlesPerStep = 500;

    private bool _oldAreGone;
    private byte[]? _trimmedUpTo = [];

    /// <summary>Bundles dropped so far.</summary>
    public int Dropped { get; private set; }

    /// <summary>Takes the next step; returns whether it was the last. Belongs inside a transaction.</summary>
    public bool Step(SqliteBundles bundles, int keep)
    {
        if (!_oldAreGone)
        {
            int dropped = bundles.DeleteReceivedBefore(cutoff, BundlesPerStep);
            Dropped += dropped;
            _oldAreGone = dropped < BundlesPerStep;
            return false;
        }

        // Devices exceed the limit only where it was lowered since.
        if (bundles.HeldPerDevice() <= keep)
        {
            return true;
        }

        for (int i = 0; i < BundlesPerStep; i++)
        {
            _trimmedUpTo = bundles.NextDevice(_trimmedUpTo!);
            if (_trimmedUpTo is null)
            {
                bundles.SetHeldPerDevice(keep);
                return true;
            }

            Dropped += bundles.Trim(_trimmedUpTo, keep);
        }

        return false;
    }
}
