namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// Drop what is due. Done in steps, each a transaction of its own, so that publishes go between them.
/// </summary>
internal sealed class PruneRequest(DateTimeOffset cutoff, CancellationToken cancellationToken)
    : WriteRequest<int>(TaskCreationOptions.RunContinuationsAsynchronously, cancellationToken)
{
    // A step touches a page of the index by device for nearly every bundle it drops: this many take a few
    // milliseconds.
    private const int RowsPerStep = 500;

    private Func<SqliteBundles, DateTimeOffset, bool>? _phase;
    private byte[]? _trimmedUpTo = [];
    private int _dropped;

    /// <summary>Takes the next step; returns whether it was the last. Belongs inside a transaction.</summary>
    public bool Step(SqliteBundles bundles, DateTimeOffset now)
    {
        _phase ??= DropOld;
        return _phase(bundles, now);
    }

    /// <summary>Tells the caller, once the last step is durable.</summary>
    public void Succeed() => Succeed(_dropped);

    /// <summary>Stops between two steps.</summary>
    public void Abandon() => Cancel();

    private bool DropOld(SqliteBundles bundles, DateTimeOffset now)
    {
        int dropped = bundles.DropReceivedBefore(cutoff, RowsPerStep);
        _dropped += dropped;
        _phase = dropped < RowsPerStep ? ForgetSpent : DropOld;
        return false;
    }

    private bool ForgetSpent(SqliteBundles bundles, DateTimeOffset now)
    {
        int forgotten = bundles.ForgetSpent(now, RowsPerStep);
        _phase = forgotten < RowsPerStep ? TrimDevices : ForgetSpent;
        return false;
    }

    // Devices exceed the limit only where it was lowered since.
    private bool TrimDevices(SqliteBundles bundles, DateTimeOffset now)
    {
        if (!bundles.MayHoldMoreThanKept())
        {
            return true;
        }

        for (int i = 0; i < RowsPerStep; i++)
        {
            _trimmedUpTo = bundles.NextDevice(_trimmedUpTo!);
            if (_trimmedUpTo is null)
            {
                bundles.RecordHeldPerDevice();
                return true;
            }

            _dropped += bundles.Trim(_trimmedUpTo);
        }

        return false;
    }
}
