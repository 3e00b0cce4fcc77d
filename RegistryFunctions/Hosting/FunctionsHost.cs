using System.Globalization;

namespace RegistryFunctions.Hosting;

/// <summary>
/// The Azure Functions host, where it has started this process as its custom handler: it forwards HTTP to a
/// loopback port of its choice, and fires the timer by calling the path of the timer function there.
/// </summary>
/// <param name="Port">The port on 127.0.0.1 that the host calls.</param>
public sealed record FunctionsHost(int Port)
{
    private const string PortVariable = "FUNCTIONS_CUSTOMHANDLER_PORT";

    /// <summary>
    /// How a process that the host started ends, even in good order: the host takes 0 for "finished", never starts
    /// the handler again, and fails every request while looking healthy.
    /// </summary>
    public const int ExitCode = 1;

    /// <summary>The host's process.</summary>
    internal ParentProcess Process { get; } = new();

    /// <summary>The host that started this process, or null when it runs stand-alone.</summary>
    /// <exception cref="SettingException">The host's variable holds no port.</exception>
    public static FunctionsHost? Detect(IConfiguration configuration)
    {
        string? port = configuration[PortVariable];
        if (port is null)
        {
            return null;
        }

        return int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            && number is > 0 and <= ushort.MaxValue
            ? new FunctionsHost(number)
            : throw new SettingException($"{PortVariable}: must be a port from 1 to {ushort.MaxValue}, not \"{port}\"");
    }
}
