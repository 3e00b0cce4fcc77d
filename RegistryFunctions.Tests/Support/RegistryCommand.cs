namespace RegistryFunctions.Tests.Support;

/// <summary>How a command of the executable ended.</summary>
internal sealed record RegistryCommand(int ExitCode, string Output, string Errors)
{
    /// <summary>The last line on standard output.</summary>
    public string LastLine => Output.Split('\n')[^1];

    /// <summary>Runs a command to its end.</summary>
    public static async Task<RegistryCommand> RunAsync(
        string[] arguments, string? folder = null, params (string Name, string Value)[] settings)
    {
        await using RegistryProcess process = RegistryProcess.Start(
            RegistryProcess.Executable, 1, arguments, folder, settings.ToDictionary(s => s.Name, s => s.Value));
        int exitCode = await process.ExitAsync();
        return new RegistryCommand(exitCode, process.Output, process.Errors);
    }

    /// <summary>Asserts that it did nothing and said why in one line.</summary>
    public void AssertRefused(string reason)
    {
        Assert.Equal(2, ExitCode);
        Assert.Contains(reason, Errors, StringComparison.Ordinal);
        Assert.Single(Errors.Split('\n'));
        Assert.Empty(Output);
    }
}
