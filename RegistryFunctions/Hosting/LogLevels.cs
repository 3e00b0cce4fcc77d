namespace RegistryFunctions.Hosting;

/// <summary>.NET's log levels, which are set by environment variables alone.</summary>
internal static class LogLevels
{
    /// <summary>Refuses a level that .NET does not know.</summary>
    /// <exception cref="SettingException">A variable names no level.</exception>
    public static void Check(IConfiguration configuration)
    {
        foreach (IConfigurationSection level in configuration.GetSection("Logging:LogLevel").GetChildren())
        {
            if (!Enum.TryParse(level.Value, ignoreCase: true, out LogLevel _))
            {
                string known = string.Join(", ", Enum.GetNames<LogLevel>());
                throw new SettingException($"Logging__LogLevel__{level.Key}: must be one of {known}, not \"{level.Value}\"");
            }
        }
    }
}
