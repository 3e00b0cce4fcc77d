namespace RegistryFunctions.Storage;

/// <summary>Where a path leads.</summary>
internal static class RealPath
{
    // As many as Linux follows (path_resolution(7)).
    private const int MostLinks = 40;

    /// <summary>
    /// The absolute path of the same file without symbolic links, whether the file itself or any folder is one. The file and its
    /// folders need not exist yet.
    /// </summary>
    /// <exception cref="StoreOpenException">There are too many links, as in a loop.</exception>
    public static string Of(string path)
    {
        string whole = Path.Combine(Environment.CurrentDirectory, path);
        string real = Path.GetPathRoot(whole)!;
        Stack<string> names = new(NamesIn(whole[real.Length..]));
        int links = 0;
        while (names.TryPop(out string? name))
        {
            // After a link, ".." is the parent of the folder that the link leads to. Path.GetFullPath would undo the link instead.
            string next = name == ".." ? Path.GetDirectoryName(real) ?? real : Path.Join(real, name);
            if (new FileInfo(next).LinkTarget is not { } target)
            {
                real = next;
                continue;
            }

            if (++links > MostLinks)
            {
                throw new StoreOpenException($"{path}: leads through too many symbolic links, perhaps in a loop: name the file itself");
            }

            if (Path.IsPathRooted(target))
            {
                real = Path.GetPathRoot(target)!;
                target = target[real.Length..];
            }

            foreach (string step in NamesIn(target))
            {
                names.Push(step);
            }
        }

        return real;
    }

    // The last first.
    private static IEnumerable<string> NamesIn(string path) => path
        .Split([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries)
        .Where(name => name != ".")
        .Reverse();
}
