using RegistryFunctions.Settings;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Hosting;

/// <summary>How a start ends that can't go on as asked: one line on standard error that says what to do.</summary>
internal static class Refusal
{
    /// <summary>The exit code of a refused start.</summary>
    public const int ExitCode = 2;

    /// <summary>Runs <paramref name="run"/>; where arguments, settings, database or address stop it, says so and returns 2.</summary>
    public static async Task<int> GuardAsync(Func<Task<int>> run)
    {
        try
        {
            return await run();
        }
        catch (Exception e) when (e is SettingException or StoreOpenException or ServeException)
        {
            return Print(e.Message);
        }
    }

    /// <summary>Prints why and returns the exit code.</summary>
    public static int Print(string reason)
    {
        Console.Error.WriteLine($"RegistryFunctions: {reason}");
        return ExitCode;
    }
}
