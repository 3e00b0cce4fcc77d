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

    /// <summary>From now on nothing can be written to it.</summary>
    public void MakeReadOnly() => Assert.Equal(0, Shell.Run("mount", "-o", "remount,ro", _folder.Path));

    /// <summary>Writes a file that takes all the room there is left; returns its path.</summary>
    public string FillUp()
    {
        using FileStream file = System.IO.File.Create(File("filler"));
        try
        {
            while (true)
            {
                file.Write(new byte[4096]);
                file.Flush();
            }
        }
        catch (IOException)
        {
            return file.Name;
        }
    }

    public void Dispose()
    {
        Shell.Run("umount", "--lazy", _folder.Path);
        _folder.Dispose();
    }
}
