using System.Globalization;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Functions;

/// <summary>Drops bundles older than the retention. Called by a timer: the Functions host's or the process's own.</summary>
public sealed partial class Prune(IBundleStore store, TimeSpan retention, TimeProvider time, ILogger<Prune> logger)
{
    // Where it is not known that the clock has leapt: fewer may well have come at one time, and so come due at one.
    private const int ManyBundles = 100;

    private readonly ClockWatch _clock = new(time);

    /// <summary>
    /// Prunes once, or puts it off to the next time where the store can't do it now. Returns a line that says which.
    /// </summary>
    public async Task<string> RunAsync(CancellationToken cancellationToken)
    {
        DateTimeOffset now = time.GetUtcNow();
        DateTimeOffset cutoff = now - retention;
        try
        {
            await WarnIfClockMayBeWrongAsync(now, cutoff, cancellationToken);
            int dropped = await store.PruneAsync(cutoff, cancellationToken);
            string done = string.Create(
                CultureInfo.InvariantCulture, $"Pruned {dropped} bundles, those received before {cutoff:u} among them");
            LogPruned(done);
            return done;
        }
        catch (StoreException e)
        {
            LogPutOff(e.Fault, e.Message);
            return $"Pruning is put off to the next time: {e.Fault}";
        }
    }

    /// <summary>
    /// Answers the Functions host's call of a timer trigger. The host needs 200 and this JSON: with less, the
    /// timer never fires again.
    /// </summary>
    public async Task InvokeAsync(HttpContext context)
    {
        // The line is digits, letters and a date: nothing in it needs escaping.
        string line = await RunAsync(context.RequestAborted);
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync($$"""{"Outputs":{},"Logs":["{{line}}"],"ReturnValue":null}""");
    }

    // Dropping cannot be undone, and a clock that is ahead makes everything old.
    private async Task WarnIfClockMayBeWrongAsync(DateTimeOffset now, DateTimeOffset cutoff, CancellationToken cancellationToken)
    {
        if (_clock.MayHaveLeapt())
        {
            (long due, bool isMost) = await store.CountReceivedBeforeAsync(cutoff, cancellationToken);
            if (isMost && due >= (_clock.IsUnknown ? ManyBundles : 1))
            {
                LogMostIsDue(now, due);
            }
        }

        _clock.Trust();
    }

    [LoggerMessage(10, LogLevel.Information, "{Line}")]
    private partial void LogPruned(string line);

    [LoggerMessage(11, LogLevel.Warning, "Pruning is put off to the next time: {Fault}. {Cause}")]
    private partial void LogPutOff(StoreFault fault, string cause);

    [LoggerMessage(13, LogLevel.Warning, "By the clock it is {Now:u}, and {Due} bundles, more than half of all, are older than the retention and are dropped now. After a long standstill or with a shorter retention that is right. If the clock is wrong: stop the registry, set the clock, and restore the database from a backup")]
    private partial void LogMostIsDue(DateTimeOffset now, long due);
}
