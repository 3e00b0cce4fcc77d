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
    public static T ShowProgress<T>(string what, Func<Action<double>, T> work) =>
        ShowProgressAsync(what, progress => Task.FromResult(work(progress))).GetAwaiter().GetResult();

    /// <inheritdoc cref="ShowProgress{T}"/>
    public static async Task<T> ShowProgressAsync<T>(string what, Func<Action<double>, Task<T>> work)
    {
        if (Console.IsErrorRedirected)
        {
            return await work(_ => { });
        }

        IAnsiConsole terminal = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return await terminal.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(async bars =>
            {
                ProgressTask bar = bars.AddTask(what, maxValue: 1);
                bar.IsIndeterminate = true;
                return await work(share =>
                {
                    bar.IsIndeterminate = false;
                    bar.Value = share;
                });
            });
    }
}
