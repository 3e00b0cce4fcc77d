using System.CommandLine;

namespace RegistryFunctions.Hosting;

/// <summary>The command line: flags in, exit code out.</summary>
internal static class CommandLine
{
    /// <summary>Reads the settings and serves with them; what stops the start is one line on standard error.</summary>
    public static async Task<int> RunAsync(string[] args, Func<RegistryOptions, FunctionsHost?, Task<int>> serve)
    {
        var root = new RootCommand("Serves an MLS KeyPackage registry: devices publish signed bundles, contacts fetch the newest.");
        foreach (Setting setting in RegistryOptions.All)
        {
            root.Options.Add(setting.Flag);
        }

        root.SetAction((flags, _) =>
        {
            IConfiguration environment = new ConfigurationBuilder().AddEnvironmentVariables().Build();
            LogLevels.Check(environment);
            return serve(RegistryOptions.Read(flags, environment), FunctionsHost.Detect(environment));
        });

        // "@x" is a name like any other, not a file to read arguments from.
        ParseResult parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0)
        {
            return Refusal.Print(parsed.Errors[0].Message);
        }

        // Signals are the web host's affair, and an unexpected exception the runtime's: it ends the process with a code
        // that is not 0.
        var configuration = new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        };
        return await Refusal.GuardAsync(() => parsed.InvokeAsync(configuration));
    }
}
