using System.Diagnostics;

namespace RegistryFunctions.Tests.Support;

/// <summary>Programs of the system.</summary>
internal static class Shell
{
    /// <summary>Returns the exit code.</summary>
    public static int Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        process.WaitForExit();
        return process.ExitCode;
    }
}
