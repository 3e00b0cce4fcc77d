using Microsoft.Azure.Functions.Worker;
using RegistryFunctions.Settings;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Functions;

/// <summary>Drops bundles older than the retention, at the times a timer says.</summary>
public sealed partial class Prune(
    IBundleStore store, ClockWatch clock, RegistryOptions options, TimeProvider time, ILogger<Prune> logger)
{
    // Where it is not known that the clock has leapt: fewer may well have been published together and so come due together.
    private const int ManyBundles = 100;

    /// <summary>Prunes once, or skips it where the store can't do it now.</summary>
    [Function(nameof(Prune))]
    public async Task RunAsync(
        [TimerTrigger($"%{PruneSchedule.Setting}%")] TimerInfo timer, CancellationToken cancellationToken)
    {
        DateTimeOffset now = time.GetUtcNow();
        DateTimeOffset cutoff = now - TimeSpan.FromDays(options.RetentionDays);
        try
        {
            await WarnIfClockMayBeWrongAsync(now, cutoff, cancellationToken);
            int dropped = await store.PruneAsync(cutoff, cancellationToken);
            LogPruned(dropped, cutoff);
        }
        catch (StoreException e)
        {
            LogPutOff(e.Fault, e.Message);
        }
    }

    // Dropping cannot be undone, and a clock that is ahead makes everything old.
    private async Task WarnIfClockMayBeWrongAsync(DateTimeOffset now, DateTimeOffset cutoff, CancellationToken cancellationToken)
    {
        if (clock.MayHaveLeapt())
        {
            (long due, bool isMost) = await store.CountReceivedBeforeAsync(cutoff, cancellationToken);
            if (isMost && due >= (clock.IsUnknown ? ManyBundles : 1))
            {
                LogMostIsDue(now, due);
            }
        }

        clock.Trust();
    }

    [LoggerMessage(10, LogLevel.Information, "Pruned {Dropped} bundles: received before {Cutoff:u}, or over their device's limit")]
    private partial void LogPruned(int dropped, DateTimeOffset cutoff);

    [LoggerMessage(11, LogLevel.Warning, "Prune skipped, the next run will retry: {Fault}. {Cause}")]
    private partial void LogPutOff(StoreFault fault, string cause);

    [LoggerMessage(13, LogLevel.Warning, "The clock says {Now:u}; {Due} bundles, more than half of all, are past their retention and are being dropped. This is expected after a long downtime or when the retention was shortened. If the clock is wrong: stop the registry, set the clock, and restore the database from a backup")]
    private partial void LogMostIsDue(DateTimeOffset now, long due);
}
