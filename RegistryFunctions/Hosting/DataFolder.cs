using RegistryFunctions.Settings;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Hosting;

/// <summary>Where data must not lie under a Functions host.</summary>
internal static class DataFolder
{
    /// <summary>
    /// Refuses a database in the program's own folder: Core Tools delete that folder before each build, and a deployment replaces
    /// it.
    /// </summary>
    /// <exception cref="SettingException">The database would lie there.</exception>
    /// <exception cref="StoreOpenException">The path leads nowhere.</exception>
    public static void RefuseProgramFolder(string db)
    {
        if (DatabaseAttribute.KindOf(db) != DatabaseKind.Sqlite)
        {
            return;
        }

        string program = RealPath.Of(AppContext.BaseDirectory) + Path.DirectorySeparatorChar;
        string file = RealPath.Of(db);
        if (file.StartsWith(program, OperatingSystem.IsWindows() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal))
        {
            throw new SettingException(
                $"{SettingsReader.Variable(nameof(RegistryOptions.Db))}: {file} is inside the program's own folder, which the next "
                + "build or deployment replaces: choose a path outside it");
        }
    }
}
