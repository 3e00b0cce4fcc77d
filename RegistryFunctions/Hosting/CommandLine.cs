using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Reflection;
using RegistryFunctions.Commands;
using RegistryFunctions.Settings;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Postgres;

namespace RegistryFunctions.Hosting;

/// <summary>The command line: flags in, exit code out.</summary>
internal static class CommandLine
{
    // A command that is told to end does so at its next step; this limits how long a hung disk can delay it.
    private static readonly TimeSpan CommandTermination = TimeSpan.FromSeconds(10);

    /// <summary>Runs the command that is named; where none is, reads the settings and serves with them.</summary>
    /// <exception cref="SettingException">A setting makes no sense.</exception>
    public static async Task<int> RunAsync(string[] args, Func<RegistryOptions, Task<int>> serve)
    {
        var root = new RootCommand("Serves an MLS KeyPackage registry: devices publish signed bundles, contacts fetch the newest.");
        foreach ((PropertyInfo property, SettingAttribute setting) in SettingsReader.All.Where(setting => setting.Setting.Flag is not null))
        {
            root.Options.Add(FlagOf(property, setting));
        }

        root.SetAction((parsed, _) => serve(SettingsReader.Read(ReadEnvironment(), FlagsIn(parsed))));
        root.Subcommands.Add(BackupCommand());
        root.Subcommands.Add(CheckCommand());
        root.Subcommands.Add(MigrateCommand());
        root.Subcommands.Add(CopyCommand());

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
        return await parsed.InvokeAsync(configuration);
    }

    private static Option<string?> FlagOf(PropertyInfo property, SettingAttribute setting)
    {
        object? defaultValue = property.GetValue(new RegistryOptions());
        return new Option<string?>(setting.Flag!)
        {
            // "--flag" alone is enough to say true.
            Arity = defaultValue is bool ? ArgumentArity.ZeroOrOne : ArgumentArity.ExactlyOne,
            HelpName = setting.Argument,
            Description = string.Create(
                CultureInfo.InvariantCulture,
                $"{setting.Description} [default: {(defaultValue is bool on ? on ? "true" : "false" : defaultValue is "" ? "none" : defaultValue)}; variable: {SettingsReader.Variable(property.Name)}]"),
        };
    }

    // By the name of the setting; flags that were not given are absent.
    private static Dictionary<string, string?> FlagsIn(ParseResult parsed) => SettingsReader.All
        .Where(setting => setting.Setting.Flag is not null)
        .Select(setting => (setting.Property.Name, Given: parsed.GetResult(setting.Setting.Flag!) as OptionResult))
        .Where(flag => flag.Given is { Implicit: false })
        .ToDictionary(flag => flag.Name, flag => flag.Given!.Tokens is [{ } text, ..] ? text.Value : bool.TrueString)!;

    private static Command BackupCommand()
    {
        Argument<string> file = FileArgument("The backup, a file that does not exist yet");
        var command = new Command("backup", "Copies the database to a new file while a server uses it.")
        {
            file,
            FlagOf(SettingsReader.Db.Property, SettingsReader.Db.Setting),
        };
        command.SetAction((parsed, cancellationToken) => RunAsync(() => Backup.Run(
            SettingsReader.ReadDb(ReadEnvironment(), FlagsIn(parsed)), parsed.GetRequiredValue(file), cancellationToken)));
        return command;
    }

    private static Command CheckCommand()
    {
        var db = new Argument<string>("db") { Description = "A SQLite file, in use or not, or a backup; or the URL of a PostgreSQL database" };
        var command = new Command("check", "Verifies a database and every signature in it without changing anything.") { db };
        command.SetAction((parsed, cancellationToken) => RunAsync(() => Check.RunAsync(
            ReadDb(parsed.GetRequiredValue(db)), cancellationToken)));
        return command;
    }

    private static Command MigrateCommand()
    {
        var db = new Argument<string>("db") { Description = "The URL of a PostgreSQL database" };
        var command = new Command("migrate", "Brings the schema in PostgreSQL up to date, for servers that don't (--auto-migrate false).") { db };
        command.SetAction((parsed, _) => RunAsync(() => Migrate.Run(ReadDb(parsed.GetRequiredValue(db)))));
        return command;
    }

    private static Command CopyCommand()
    {
        var from = new Option<string>("--from") { Required = true, HelpName = "path|url", Description = "The registry to copy, in use or not [password: Registry__FromPassword]" };
        var to = new Option<string>("--to") { Required = true, HelpName = "path|url", Description = "Where to: an empty database, or one that was copied to before [password: Registry__ToPassword]" };
        var command = new Command("copy", "Copies a registry between SQLite and PostgreSQL; again, what has changed since.") { from, to };
        command.SetAction((parsed, cancellationToken) => RunAsync(() => Copy.RunAsync(
            SettingsReader.ReadDb(ReadEnvironment(), "--from", parsed.GetRequiredValue(from), "FromPassword"),
            SettingsReader.ReadDb(ReadEnvironment(), "--to", parsed.GetRequiredValue(to), "ToPassword"),
            cancellationToken)));
        return command;
    }

    private static RegistryOptions ReadDb(string db) =>
        SettingsReader.ReadDb(ReadEnvironment(), "db", db, nameof(RegistryOptions.DbPassword));

    private static Argument<string> FileArgument(string description)
    {
        var file = new Argument<string>("file") { Description = description };
        file.Validators.Add(given =>
        {
            if (PostgresAddress.IsAddress(given.Tokens[0].Value))
            {
                given.AddError("file: must be the path of a file: this is done to SQLite's only");
            }
            else if (!DatabaseAttribute.IsPath(given.Tokens[0].Value))
            {
                given.AddError($"file: must be the path of a file, not \"{given.Tokens[0].Value}\"");
            }
        });
        return file;
    }

    // On a thread of its own: the time that a command has to end by itself is bounded only once its task is there.
    private static Task<int> RunAsync(Func<int> command) => RunAsync(() => Task.FromResult(command()));

    private static Task<int> RunAsync(Func<Task<int>> command) => Task.Run(async () =>
    {
        try
        {
            return await command();
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
