using RegistryFunctions.Functions;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Hosting;

/// <summary>The timer of the stand-alone server: prunes once at start and then at the interval.</summary>
internal sealed partial class PruneTimer(
    Prune prune, TimeSpan interval, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<PruneTimer> logger)
    : BackgroundService
{
    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Not before the server serves: a start that fails must not have dropped anything.
        var started = new TaskCompletionSource();
        using (lifetime.ApplicationStarted.Register(started.SetResult))
        {
            await started.Task.WaitAsync(stoppingToken);
        }

        using var timer = new PeriodicTimer(interval, time);
        do
        {
            try
            {
                await prune.RunAsync(stoppingToken);
            }
            catch (StoreException e)
            {
                LogPostponed(logger, e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(11, LogLevel.Warning, "Pruning is put off to the next interval: {Cause}")]
    private static partial void LogPostponed(ILogger logger, string cause);
}
