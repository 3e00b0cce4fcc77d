namespace RegistryFunctions.Benchmarks;

/// <summary>The checkout that this program was built from.</summary>
internal static class Repository
{
    /// <summary>Where data is kept from run to run.</summary>
    public static string DataFolder() => Path.Combine(Root(), "artifacts", "bench-data");

    /// <summary>The folder of the solution.</summary>
    public static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "RegistryFunctions.sln")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder
            ?? throw new DirectoryNotFoundException("RegistryFunctions.sln is in no folder above this program.");
    }
}
