using System.Runtime.InteropServices;

namespace RegistryFunctions.Storage;

/// <summary>
/// Tells whether a path still names the file it named before: by device and inode where Linux tells them, or else, as in a
/// sandbox that refuses the call, only whether a file is still there.
/// </summary>
internal sealed partial class FileIdentity(string path)
{
    private readonly (ulong Device, ulong Inode)? _then = Read(path);

    public bool IsInPlace => _then is { } then && Read(path) is { } now ? now == then : Exists();

    // False only where it is certain that there is none.
    private bool Exists()
    {
        try
        {
            _ = File.GetAttributes(path);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e is not (FileNotFoundException or DirectoryNotFoundException);
        }
    }

    private static (ulong Device, ulong Inode)? Read(string path) =>
        OperatingSystem.IsLinux() && Statx(CurrentFolder, path, flags: 0, StatxInode, out StatxBuffer file) == 0
            ? (((ulong)file.DeviceMajor << 32) | file.DeviceMinor, file.Inode)
            : null;

    private const int CurrentFolder = -100;
    private const uint StatxInode = 0x100;

    // statx(2): its structure is the same on every architecture, unlike that of stat(2).
    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int folder, string path, int flags, uint mask, out StatxBuffer file);

    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct StatxBuffer
    {
        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(136)]
        public uint DeviceMajor;

        [FieldOffset(140)]
        public uint DeviceMinor;
    }
}
