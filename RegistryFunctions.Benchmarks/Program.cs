using System.CommandLine;
using RegistryFunctions.Benchmarks.Reach;

namespace RegistryFunctions.Benchmarks;

/// <summary>The command line.</summary>
internal static class Program
{
    public static Task<int> Main(string[] args)
    {
        var root = new RootCommand("Measures how fast the registry is: end to end (reach), or part by part (parts).")
        {
            ReachCommand(),
        };
        return root.Parse(args).InvokeAsync();
    }

    private static Command ReachCommand()
    {
        Option<int> rounds = new("--rounds")
        {
            DefaultValueFactory = _ => 3,
            Description = "How often the two sides of each ratio take turns; the median counts",
        };
        Option<int> seconds = new("--seconds")
        {
            DefaultValueFactory = _ => 5,
            Description = "How long one measurement takes",
        };
        Option<string?> only = new("--only")
        {
            HelpName = "name,…",
            Description = $"Measure only these, of: {string.Join(", ", ReachRun.Names)}",
        };
        Option<string?> server = new("--server")
        {
            HelpName = "path",
            Description = "Measure this published executable in place of one made from the sources",
        };
        var command = new Command(
            "reach",
            "Starts the real server and the limit servers as processes, loads them in turn over real sockets, and prints "
            + "what the registry reaches. Run it on a machine that does nothing else.")
        {
            rounds, seconds, only, server,
        };
        command.SetAction((parsed, _) => new ReachRun
        {
            Rounds = parsed.GetValue(rounds),
            Seconds = parsed.GetValue(seconds),
            Only = parsed.GetValue(only)?.Split(',') ?? [],
            Server = parsed.GetValue(server),
        }.RunAsync());
        return command;
    }
}
