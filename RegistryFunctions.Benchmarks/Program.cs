using System.CommandLine;
using System.CommandLine.Parsing;
using BenchmarkDotNet.Running;
using RegistryFunctions.Benchmarks.Calibration;
using RegistryFunctions.Benchmarks.Reach;

namespace RegistryFunctions.Benchmarks;

/// <summary>The command line.</summary>
internal static class Program
{
    private static readonly Option<int> Rounds = AtLeastOne(new("--rounds")
    {
        HelpName = "n",
        DefaultValueFactory = _ => 3,
        Description = "How often each measurement is repeated, the sides of a ratio taking turns; the median counts",
    });

    private static readonly Option<int> Seconds = AtLeastOne(new("--seconds")
    {
        HelpName = "n",
        DefaultValueFactory = _ => 5,
        Description = "How long one measurement takes",
    });

    public static Task<int> Main(string[] args)
    {
        var root = new RootCommand("Measures how fast the registry is. Run it on a machine that does nothing else.")
        {
            ReachCommand(),
            PartsCommand(),
            CalibrateCommand(),
        };
        // A signal ends the program at once; there is nothing to save.
        return root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
    }

    private static Command ReachCommand()
    {
        Option<string[]> only = new("--only")
        {
            HelpName = "name,…",
            CustomParser = NamesOfMeasures,
            DefaultValueFactory = _ => [],
            Description = $"Measure only these, and write no files: {string.Join(", ", ReachRun.Names)}",
        };
        Option<bool> soak = new("--soak")
        {
            Description = "Also see for ten minutes whether memory stays flat",
        };
        Option<string?> server = new("--server")
        {
            HelpName = "path",
            Description = "Measure this published executable in place of one made from the sources",
        };
        var command = new Command(
            "reach",
            "Starts the registry and the limit servers as processes, loads them in turn over real sockets, prints how near "
            + "the registry is to the limits, and writes that to RegistryFunctions.Benchmarks/results. What it needs is "
            + "built and kept in artifacts/, in bench-data 5 GB of data; delete that to have it made anew.")
        {
            Rounds, Seconds, only, soak, server,
        };
        command.SetAction((parsed, _) => new ReachRun
        {
            Rounds = parsed.GetValue(Rounds),
            Seconds = parsed.GetValue(Seconds),
            Only = parsed.GetValue(only)!,
            Soak = parsed.GetValue(soak),
            Server = parsed.GetValue(server),
        }.RunAsync());
        return command;
    }

    private static string[] NamesOfMeasures(ArgumentResult result)
    {
        string[] names = result.Tokens[0].Value.Split(',');
        if (names.Except(ReachRun.Names).FirstOrDefault() is { } unknown)
        {
            result.AddError($"--only: there is no {unknown}; choose from {string.Join(", ", ReachRun.Names)}");
        }

        return names;
    }

    private static Option<int> AtLeastOne(Option<int> option)
    {
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() < 1)
            {
                result.AddError($"{option.Name}: must be at least 1");
            }
        });
        return option;
    }

    private static Command PartsCommand()
    {
        Argument<string[]> arguments = new("arguments")
        {
            Arity = ArgumentArity.ZeroOrMore,
            Description = "For BenchmarkDotNet, after another --, such as --filter *TryVerify; else all parts are measured",
        };
        var command = new Command("parts", "Measures parse, verify, store and answer by themselves, with BenchmarkDotNet.")
        {
            arguments,
        };
        command.SetAction((parsed, _) =>
        {
            string[] passed = parsed.GetValue(arguments) is { Length: > 0 } some ? some : ["--filter", "*"];
            BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(passed);
            return Task.FromResult(0);
        });
        return command;
    }

    private static Command CalibrateCommand()
    {
        var command = new Command("calibrate", "Compares the load generator with wrk, which must be installed.")
        {
            Rounds, Seconds,
        };
        command.SetAction((parsed, _) => new CalibrationRun
        {
            Rounds = parsed.GetValue(Rounds),
            Seconds = parsed.GetValue(Seconds),
        }.RunAsync());
        return command;
    }
}
