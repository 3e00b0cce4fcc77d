using System.CommandLine;
using RegistryFunctions.Commands;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Hosting;

/// <summary>The command line: flags in, exit code out.</summary>
internal static class CommandLine
{
    // A command that is told to end does so at its next step; this bounds what it waits for the disk.
    private static readonly TimeSpan CommandTermination = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Runs the command that is named; where none is, reads the settings and serves with them. What stops the start is one
    /// line on standard error.
    /// </summary>
    public static async Task<int> RunAsync(string[] args, Func<RegistryOptions, FunctionsHost?, Task<int>> serve)
    {
        var root = new RootCommand("Serves an MLS KeyPackage registry: devices publish signed bundles, contacts fetch the newest.");
        foreach (Setting setting in RegistryOptions.All)
        {
            root.Options.Add(setting.Flag);
        }

        root.SetAction((flags, _) =>
        {
            IConfiguration environment = ReadEnvironment();
            LogLevels.Check(environment);
            return serve(RegistryOptions.Read(flags, environment), FunctionsHost.Detect(environment));
        });
        root.Subcommands.Add(BackupCommand());
        root.Subcommands.Add(CheckCommand());

        // "@x" is a name like any other, not a file to read arguments from.
        ParseResult parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0)
        {
            return Refusal.Print(parsed.Errors[0].Message);
        }

        // While serving, signals are the web host's affair. An unexpected exception is the runtime's: it ends the process
        // with a code that is not 0.
        var configuration = new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = parsed.CommandResult.Command == root ? null : CommandTermination,
        };
        return await Refusal.GuardAsync(() => parsed.InvokeAsync(configuration));
    }

    private static Command BackupCommand()
    {
        Argument<string> file = FileArgument("The backup, a file that does not exist yet");
        var command = new Command("backup", "Copies the database to a new file while a server uses it.")
        {
            file,
            RegistryOptions.DbFlag,
        };
        command.SetAction((parsed, cancellationToken) => RunAsync(() => Backup.Run(
            RegistryOptions.ReadDb(parsed, ReadEnvironment()), parsed.GetRequiredValue(file), cancellationToken)));
        return command;
    }

    private static Command CheckCommand()
    {
        Argument<string> file = FileArgument("A database, in use or not, or a backup");
        var command = new Command("check", "Verifies a database and every signature in it, and changes nothing.") { file };
        command.SetAction((parsed, cancellationToken) => RunAsync(() => Check.Run(
            parsed.GetRequiredValue(file), cancellationToken)));
        return command;
    }

    private static Argument<string> FileArgument(string description)
    {
        var file = new Argument<string>("file") { Description = description };
        file.Validators.Add(given =>
        {
            if (!RegistryOptions.IsPath(given.Tokens[0].Value))
            {
                given.AddError($"file: must be the path of a file, not \"{given.Tokens[0].Value}\"");
            }
        });
        return file;
    }

    // On a thread of its own: the time that a command has to end by itself is bounded only once its task is there.
    private static Task<int> RunAsync(Func<int> command) => Task.Run(() =>
    {
        try
        {
            return command();
        }
        catch (StoreException e)
        {
            Refusal.Print(e.Message);
            return ExitCodes.Failed;
        }
        catch (OperationCanceledException)
        {
            Refusal.Print("interrupted");
            return ExitCodes.Interrupted;
        }
    });

    private static IConfiguration ReadEnvironment() => new ConfigurationBuilder().AddEnvironmentVariables().Build();
}
