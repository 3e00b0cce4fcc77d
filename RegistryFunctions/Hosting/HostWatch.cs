using System.Runtime.InteropServices;

namespace RegistryFunctions.Hosting;

/// <summary>
/// Shuts the worker down when the Functions host has died without stopping it: the worker's own code only sees a silent
/// stream, and would keep the database open forever.
/// </summary>
/// <remarks>
/// On Unix an orphan gets another parent. The kernel's own signal for this (PR_SET_PDEATHSIG) fires when the host's starting
/// thread ends, which is too early. On Windows the host ends its workers by a job object.
/// </remarks>
internal sealed partial class HostWatch(
    TimeProvider time, IHostApplicationLifetime lifetime, ILogger<HostWatch> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly int _host = GetParent();

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            if (GetParent() != _host)
            {
                LogGone(logger);
                lifetime.StopApplication();
                return;
            }
        }
    }

    private static int GetParent() => OperatingSystem.IsWindows() ? 0 : GetParentProcessId();

    // getppid(2)
    [LibraryImport("libc", EntryPoint = "getppid")]
    private static partial int GetParentProcessId();

    [LoggerMessage(2, LogLevel.Warning, "The Functions host that started this process has ended: shutting down")]
    private static partial void LogGone(ILogger logger);
}
