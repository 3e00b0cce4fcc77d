using System.Runtime.CompilerServices;

namespace RegistryFunctions.Tests.Support;

/// <summary>The checkout that these tests were built from: its root is the Functions script root.</summary>
internal static class Repository
{
    public static string Root { get; } = Path.GetDirectoryName(Path.GetDirectoryName(Path.GetDirectoryName(ThisFile())))!;

    public static string File(params string[] path) => Path.Combine([Root, .. path]);

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
