using System.CommandLine;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Hosting;

/// <summary>The command line: flags in, exit code out.</summary>
internal static class CommandLine
{
    /// <summary>Exit code when the process can't start as it was told to.</summary>
    private const int Refused = 2;

    /// <summary>Reads the settings and serves with them; what stops the start is one line on standard error.</summary>
    public static async Task<int> RunAsync(string[] args, Func<RegistryOptions, FunctionsHost?, Task<int>> serve)
    {
        var root = new RootCommand("Serves an MLS KeyPackage registry: devices publish signed bundles, contacts fetch the newest.");
        foreach (Option flag in RegistryOptions.Flags)
        {
            root.Options.Add(flag);
        }

        root.SetAction((flags, _) =>
        {
            IConfiguration environment = new ConfigurationBuilder().AddEnvironmentVariables().Build();
            return serve(RegistryOptions.Read(flags, environment), FunctionsHost.Detect(environment));
        });

        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            return Refuse(parsed.Errors[0].Message);
        }

        try
        {
            // Signals are the web host's affair, and an unexpected exception the runtime's: it ends the process with a
            // code that is not 0.
            return await parsed.InvokeAsync(new()
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            });
        }
        catch (Exception e) when (e is SettingException or StoreOpenException or IOException)
        {
            return Refuse(e.Message);
        }
    }

    private static int Refuse(string reason)
    {
        Console.Error.WriteLine($"RegistryFunctions: {reason}");
        return Refused;
    }
}
