using System.Diagnostics;

namespace RegistryFunctions.Tests.Support;

/// <summary>A file system of its own that is soon full. Needs Linux and root; without them the test is skipped.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly TestFolder _folder = new();

    public SmallDisk(int kibibytes)
    {
        if (!OperatingSystem.IsLinux() || Run("mount", "-t", "tmpfs", "-o", $"size={kibibytes}k", "registry-test", _folder.Path) != 0)
        {
            _folder.Dispose();
            Assert.Skip("needs Linux and the right to mount a tmpfs: run the tests as root");
        }
    }

    public string File(string name) => _folder.File(name);

    public void MakeReadOnly() => Remount("ro");

    public void MakeWritable() => Remount("rw");

    public void Dispose()
    {
        Run("umount", "--lazy", _folder.Path);
        _folder.Dispose();
    }

    private void Remount(string how)
    {
        // Files that are open for writing keep a file system from becoming read-only; the mount itself can.
        Assert.Equal(0, Run("mount", "-o", $"remount,bind,{how}", _folder.Path));
    }

    private static int Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        process.WaitForExit();
        return process.ExitCode;
    }
}
