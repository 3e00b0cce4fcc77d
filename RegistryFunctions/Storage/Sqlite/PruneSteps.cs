namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// Drops what is due: old bundles, payloads past the replay window, and what devices hold beyond a limit that was lowered.
/// Done in steps, each a transaction of its own, so that publishes go between them.
/// </summary>
internal sealed class PruneSteps(DateTimeOffset cutoff, CancellationToken cancellationToken)
{
    private Phase _phase;
    private byte[]? _trimmedUpTo = [];

    private enum Phase
    {
        DropOld,
        ForgetSpent,
        TrimDevices,
        Done,
    }

    /// <summary>How many bundles were dropped.</summary>
    public int Dropped { get; private set; }

    /// <summary>Whether nothing is left to do.</summary>
    public bool IsDone => _phase == Phase.Done;

    /// <summary>Takes the next step.</summary>
    /// <exception cref="OperationCanceledException">Nobody waits for it any more.</exception>
    public void TakeStep(SqliteWriteConnection connection)
    {
        cancellationToken.ThrowIfCancellationRequested();
        // Dropping may need a page to remember what it drops: it must not fail for the lack of what it makes.
        connection.InTransaction(
            (table, now) => _phase = _phase switch
            {
                Phase.DropOld => DropOld(table),
                Phase.ForgetSpent => ForgetSpent(table, now),
                _ => TrimDevices(table),
            },
            sizeIsLimited: false);
    }

    private Phase DropOld(BundleTable table)
    {
        int dropped = table.DropReceivedBefore(cutoff, SqliteTuning.RowsPerPruneStep);
        Dropped += dropped;
        return dropped < SqliteTuning.RowsPerPruneStep ? Phase.ForgetSpent : Phase.DropOld;
    }

    private static Phase ForgetSpent(BundleTable table, DateTimeOffset now)
    {
        int forgotten = table.ForgetSpent(now, SqliteTuning.RowsPerPruneStep);
        return forgotten < SqliteTuning.RowsPerPruneStep ? Phase.TrimDevices : Phase.ForgetSpent;
    }

    private Phase TrimDevices(BundleTable table)
    {
        if (!table.MayHoldMoreThanKept())
        {
            return Phase.Done;
        }

        for (int i = 0; i < SqliteTuning.RowsPerPruneStep; i++)
        {
            _trimmedUpTo = table.NextDevice(_trimmedUpTo);
            if (_trimmedUpTo is null)
            {
                table.RecordHeldPerDevice();
                return Phase.Done;
            }

            Dropped += table.Trim(_trimmedUpTo);
        }

        return Phase.TrimDevices;
    }
}
