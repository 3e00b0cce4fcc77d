using System.Diagnostics;

namespace RegistryFunctions.Tests.Support;

/// <summary>Programs of the system.</summary>
internal static class Shell
{
    /// <summary>Sends a signal. Every shell can, while not every system has the program of that name.</summary>
    public static void Signal(string signal, int process) => Run("/bin/sh", "-c", $"kill -{signal} {process}");

    /// <summary>Returns the exit code.</summary>
    public static int Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        process.WaitForExit();
        return process.ExitCode;
    }
}
