using System.Globalization;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Functions;

/// <summary>Drops bundles older than the retention. Called by a timer: the Functions host's or the process's own.</summary>
public sealed partial class Prune(IBundleStore store, TimeSpan retention, TimeProvider time, ILogger<Prune> logger)
{
    /// <summary>Prunes once; returns a line that says what was done.</summary>
    public async Task<string> RunAsync(CancellationToken cancellationToken)
    {
        DateTimeOffset cutoff = time.GetUtcNow() - retention;
        int dropped = await store.PruneAsync(cutoff, cancellationToken);
        LogPruned(logger, dropped, cutoff);
        return string.Create(CultureInfo.InvariantCulture, $"Pruned {dropped} bundles, those received before {cutoff:u} among them");
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

    [LoggerMessage(10, LogLevel.Information, "Pruned {Dropped} bundles, those received before {Cutoff:u} among them")]
    private static partial void LogPruned(ILogger logger, int dropped, DateTimeOffset cutoff);
}
