using Spectre.Console;

namespace RegistryFunctions.Commands;

/// <summary>Progress for an interactive terminal.</summary>
internal static class Terminal
{
    /// <summary>
    /// Runs <paramref name="work"/>, with a progress bar on standard error if that is a terminal, gone when it is done.
    /// </summary>
    /// <param name="what">What is being done.</param>
    /// <param name="work">Reports the share that is done, from 0 to 1; never where it can't tell.</param>
    public static T ShowProgress<T>(string what, Func<Action<double>, T> work)
    {
        if (Console.IsErrorRedirected)
        {
            return work(_ => { });
        }

        IAnsiConsole terminal = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return terminal.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(bars =>
            {
                ProgressTask bar = bars.AddTask(what, maxValue: 1);
                bar.IsIndeterminate = true;
                return work(share =>
                {
                    bar.IsIndeterminate = false;
                    bar.Value = share;
                });
            });
    }
}
