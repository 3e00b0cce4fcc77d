using System.Runtime.InteropServices;

namespace RegistryFunctions.Hosting;

/// <summary>
/// The process that started this one, as it was when this object was made. On Unix an orphan gets another parent. On Windows
/// it keeps the number of the one it had, which tells nothing; there the Functions host itself ends what it started, by a
/// job object.
/// </summary>
internal sealed partial class ParentProcess
{
    private readonly int _then = Current();

    /// <summary>Whether it has ended.</summary>
    public bool IsGone => Current() != _then;

    private static int Current() => OperatingSystem.IsWindows() ? 0 : GetParentProcessId();

    // getppid(2)
    [LibraryImport("libc", EntryPoint = "getppid")]
    private static partial int GetParentProcessId();
}
