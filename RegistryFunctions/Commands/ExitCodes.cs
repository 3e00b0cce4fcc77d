namespace RegistryFunctions.Commands;

/// <summary>How a command ends, besides <see cref="Hosting.Refusal.ExitCode"/>.</summary>
internal static class ExitCodes
{
    /// <summary>All is well.</summary>
    public const int Done = 0;

    /// <summary>A backup failed under way, or a check found damage.</summary>
    public const int Failed = 1;

    /// <summary>Ended by Ctrl-C: 128 and the number of its signal, as shells say it.</summary>
    public const int Interrupted = 130;
}
