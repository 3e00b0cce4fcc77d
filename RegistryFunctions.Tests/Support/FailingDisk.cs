namespace RegistryFunctions.Tests.Support;

/// <summary>
/// A file system of its own that can fail as one does on a disk with errors: Linux makes it read-only under those who write.
/// Needs Linux and root; without them the test is skipped.
/// </summary>
internal sealed class FailingDisk : IDisposable
{
    private readonly TestFolder _folder = new();

    public FailingDisk()
    {
        using (FileStream image = System.IO.File.Create(Image))
        {
            image.SetLength(16 * 1024 * 1024);
        }

        Directory.CreateDirectory(MountPoint);
        if (!OperatingSystem.IsLinux() || Shell.Run("mkfs.ext4", "-q", Image) != 0 || !TryMount())
        {
            _folder.Dispose();
            Assert.Skip("needs Linux, mkfs.ext4 and the right to mount a loop device: run the tests as root");
        }
    }

    private string Image => _folder.File("image");

    private string MountPoint => _folder.File("disk");

    public string File(string name) => Path.Combine(MountPoint, name);

    /// <summary>From now on every write fails.</summary>
    public void Fail() => Assert.Equal(0, Shell.Run("mount", "-o", "remount,abort", MountPoint));

    /// <summary>Works again, once nobody has a file of it open.</summary>
    public void Mend()
    {
        // A process that another test is just starting has this one's files open until it runs its program.
        long begin = Environment.TickCount64;
        while (Shell.Run("umount", MountPoint) != 0)
        {
            Assert.True(Environment.TickCount64 - begin < 60_000, "A file of the disk stays open.");
        }

        Assert.True(TryMount());
    }

    public void Dispose()
    {
        Shell.Run("umount", "--lazy", MountPoint);
        _folder.Dispose();
    }

    private bool TryMount() => Shell.Run("mount", "-o", "loop", Image, MountPoint) == 0;
}
