namespace RegistryFunctions.Tests.Support;

/// <summary>A file system of its own that is soon full. Needs Linux and root; without them the test is skipped.</summary>
internal sealed class SmallDisk : IDisposable
{
    private readonly TestFolder _folder = new();

    public SmallDisk(int kibibytes)
    {
        if (!OperatingSystem.IsLinux() || Shell.Run("mount", "-t", "tmpfs", "-o", $"size={kibibytes}k", "registry-test", _folder.Path) != 0)
        {
            _folder.Dispose();
            Assert.Skip("needs Linux and the right to mount a tmpfs: run the tests as root");
        }
    }

    public string File(string name) => _folder.File(name);

    public void Dispose()
    {
        Shell.Run("umount", "--lazy", _folder.Path);
        _folder.Dispose();
    }
}
