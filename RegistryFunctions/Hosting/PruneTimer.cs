using Microsoft.Azure.Functions.Worker;
using RegistryFunctions.Functions;
using RegistryFunctions.Settings;

namespace RegistryFunctions.Hosting;

/// <summary>The timer of the stand-alone server: prunes once at start and then at the interval.</summary>
internal sealed partial class PruneTimer(
    Prune prune, RegistryOptions options, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<PruneTimer> logger)
    : BackgroundService
{
    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Not before the server serves: a start that fails must not have dropped anything.
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using (lifetime.ApplicationStarted.Register(started.SetResult))
        {
            await started.Task.WaitAsync(stoppingToken);
        }

        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(options.PruneIntervalSecs), time);
        do
        {
            try
            {
                await prune.RunAsync(new TimerInfo(), stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // The next run may do better. If it escaped, it would end the process as if it had been told to stop.
                LogFailed(logger, e);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(12, LogLevel.Error, "Pruning failed; the next run tries again")]
    private static partial void LogFailed(ILogger logger, Exception cause);
}
