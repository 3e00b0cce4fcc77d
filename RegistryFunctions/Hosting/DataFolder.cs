using RegistryFunctions.Settings;

namespace RegistryFunctions.Hosting;

/// <summary>Where data must not lie under a Functions host.</summary>
internal static class DataFolder
{
    /// <summary>
    /// Refuses a database in the program's own folder: Core Tools delete that folder before each build, and a deployment replaces
    /// it.
    /// </summary>
    /// <exception cref="SettingException">The database would lie there.</exception>
    public static void RefuseProgramFolder(string db)
    {
        string program = Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory) + Path.DirectorySeparatorChar;
        string file = Path.GetFullPath(db);
        if (file.StartsWith(program, OperatingSystem.IsWindows() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal))
        {
            throw new SettingException(
                $"{SettingsReader.Variable(nameof(RegistryOptions.Db))}: {file} is inside the program's own folder, which the next "
                + "build or deployment replaces: choose a path outside it");
        }
    }
}
