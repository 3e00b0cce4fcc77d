using System.Globalization;

namespace RegistryFunctions.Storage;

/// <summary>Which type of file system a folder is on.</summary>
internal static class FileSystemType
{
    /// <summary>The type as the system names it, such as "ext4", "nfs4" or "fuse.sshfs"; null where it does not tell.</summary>
    /// <param name="folder">A folder that exists, without links.</param>
    public static string? Of(string folder)
    {
        try
        {
            // Not the framework's name on Linux: it is "fuse" for all that is mounted through FUSE.
            if (OperatingSystem.IsLinux() && Find(File.ReadAllText("/proc/self/mountinfo"), folder) is { } type)
            {
                return type;
            }

            bool isShare = OperatingSystem.IsWindows()
                && (folder.StartsWith(@"\\", StringComparison.Ordinal) || new DriveInfo(folder).DriveType == DriveType.Network);
            return isShare ? "smb" : new DriveInfo(folder).DriveFormat;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Finds a folder's type in Linux's list of mounts (proc_pid_mountinfo(5)); null where it is on none of them.</summary>
    internal static string? Find(string mountinfo, string folder)
    {
        Mount[] above = [.. mountinfo.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Parse).Where(m => m.Contains(folder))];
        // From the root down, as the system does: a mount may hide others that were mounted below it before.
        Mount? at = null;
        while (Next() is { } next)
        {
            at = next;
        }

        return at?.Type;

        Mount? Next() => above
            .Where(m => at is null ? !above.Any(other => other != m && other.Id == m.Parent) : m != at && m.Parent == at.Id)
            .MinBy(m => m.Point.Length);
    }

    private static Mount Parse(string line)
    {
        string[] fields = line.Split(' ');
        // Optional fields come before the dash.
        int dash = Array.IndexOf(fields, "-", 6);
        string point = fields[4].Replace(@"\040", " ").Replace(@"\011", "\t").Replace(@"\012", "\n").Replace(@"\134", @"\");
        return new Mount(Number(fields[0]), Number(fields[1]), point, fields[dash + 1]);

        static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
    }

    private sealed record Mount(int Id, int Parent, string Point, string Type)
    {
        public bool Contains(string folder) =>
            Point == "/" || folder == Point || folder.StartsWith($"{Point}/", StringComparison.Ordinal);
    }
}
