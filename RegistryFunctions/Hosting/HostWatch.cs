namespace RegistryFunctions.Hosting;

/// <summary>
/// Stops the handler of a Functions host that has died without stopping it: nobody would forward requests to it any more, and
/// the next host's handler would share the database with it. The kernel's own signal for this (PR_SET_PDEATHSIG) comes already
/// when the thread of the host ends that started the process.
/// </summary>
internal sealed partial class HostWatch(
    ParentProcess host, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<HostWatch> logger)
    : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            if (host.IsGone)
            {
                LogGone(logger);
                lifetime.StopApplication();
                return;
            }
        }
    }

    [LoggerMessage(2, LogLevel.Warning, "The Functions host that started this process has ended: stopping")]
    private static partial void LogGone(ILogger logger);
}
