using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace RegistryFunctions.Storage;

/// <summary>Opens what the framework opens not at all, such as a folder, or only with a lock on it.</summary>
internal static partial class UnixFile
{
    /// <summary>Opens a file or a folder for reading; the handle is invalid where that fails.</summary>
    public static SafeFileHandle Open(string path) => Open(path, ReadOnly);

    // O_RDONLY, on every architecture.
    private const int ReadOnly = 0;

    // open(2)
    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);
}
