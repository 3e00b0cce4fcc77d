using System.Diagnostics;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Endurance;

/// <summary>A command that its disk does not let go on. How long it is waited for is by the machine's clock.</summary>
[Collection(Suite.Name)]
public sealed class StuckCommandTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact(Explicit = true)]
    public async Task A_command_that_hangs_ends_all_the_same_some_time_after_a_signal()
    {
        string file = _folder.File("registry.db");
        Assert.SkipUnless(OperatingSystem.IsLinux() && Shell.Run("mkfifo", file) == 0, "needs mkfifo and /proc");
        // The runtime's debugger would wait at a pipe too.
        await using RegistryProcess check = RegistryProcess.Start(
            RegistryProcess.Executable,
            1,
            ["check", file],
            environment: new Dictionary<string, string> { ["DOTNET_EnableDiagnostics"] = "0" });
        var patience = Stopwatch.StartNew();
        while (!IsOpeningPipe(check.Id))
        {
            Assert.True(patience.Elapsed < TimeSpan.FromSeconds(30), "It does not wait for who opens the other end of the pipe.");
            await Task.Delay(1);
        }

        check.Terminate();
        // That of a process that was ended by SIGTERM: 130 would say that the command has ended by itself.
        Assert.Equal(143, await check.ExitAsync());
    }

    // The kernel's function in which some thread waits (proc_pid_wchan(5)).
    private static bool IsOpeningPipe(int process) => Directory.GetDirectories($"/proc/{process}/task").Any(
        thread => File.ReadAllText($"{thread}/wchan").Equals("wait_for_partner", StringComparison.Ordinal));
}
