using Microsoft.Win32.SafeHandles;

namespace RegistryFunctions.Storage;

/// <summary>A file that is written under another name, and has its own only once it is complete and durable.</summary>
internal sealed class NewFile : IDisposable
{
    private readonly string _path;
    private readonly string[] _taken;

    private NewFile(string path, string[] taken)
    {
        _path = path;
        _taken = taken;
        // Beside it, so that giving it its name is one step.
        Partial = $"{path}.{Guid.NewGuid():N}.partial";
    }

    /// <summary>Where it is written.</summary>
    public string Partial { get; }

    /// <summary>Creates the empty partial file.</summary>
    /// <param name="path">The file, which must not exist.</param>
    /// <param name="taken">What must not exist either.</param>
    /// <param name="like">A file with the rights that this one gets: who can't read the one can't read the other.</param>
    /// <exception cref="StoreOpenException">It can't be created.</exception>
    public static NewFile Create(string path, string[] taken, string like)
    {
        var file = new NewFile(path, [path, .. taken]);
        file.RefuseTaken();
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            // Even where nobody may write to that one: this one is yet to be written.
            options.UnixCreateMode = File.GetUnixFileMode(like) | UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        try
        {
            new FileStream(file.Partial, options).Dispose();
            return file;
        }
        catch (DirectoryNotFoundException e)
        {
            throw new StoreOpenException($"{path}: its folder does not exist: create it, or name a file in another", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreOpenException(
                $"{path}: can't be created: name a file in a folder that this user can write to", e);
        }
    }

    /// <summary>Flushes the file and gives it its name.</summary>
    public void Complete(CancellationToken cancellationToken)
    {
        using (SafeFileHandle partial = File.OpenHandle(Partial, FileMode.Open, FileAccess.ReadWrite))
        {
            RandomAccess.FlushToDisk(partial);
        }

        cancellationToken.ThrowIfCancellationRequested();
        RefuseTaken();
        File.Move(Partial, _path, overwrite: false);
        FlushFolder();
    }

    /// <summary>Deletes what was not completed.</summary>
    public void Dispose() => File.Delete(Partial);

    private void RefuseTaken()
    {
        if (Array.Find(_taken, Path.Exists) is { } taken)
        {
            throw new StoreOpenException($"{taken}: already exists, and a backup never overwrites: name a new file");
        }
    }

    // The name is durable once its folder is. The framework opens no folders.
    private void FlushFolder()
    {
        if (OperatingSystem.IsLinux())
        {
            using SafeFileHandle folder = UnixFile.Open(Path.GetDirectoryName(_path)!);
            if (!folder.IsInvalid)
            {
                RandomAccess.FlushToDisk(folder);
            }
        }
    }
}
