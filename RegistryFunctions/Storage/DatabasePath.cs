namespace RegistryFunctions.Storage;

/// <summary>Where a database may lie. The paths returned are without links: SQLite keeps the log beside the file itself.</summary>
internal static partial class DatabasePath
{
    /// <summary>
    /// The file that a server is to write. It need not exist yet; missing folders are created. Warns where the file system may be
    /// unsafe.
    /// </summary>
    /// <param name="path">The path, as it was given.</param>
    /// <param name="allowNetworkFs">Whether a network file system is not refused but warned about.</param>
    /// <param name="logger">Warned.</param>
    /// <exception cref="StoreOpenException">It can't lie there; the message says why and what to do.</exception>
    public static string Prepare(string path, bool allowNetworkFs, ILogger logger)
    {
        string file = Resolve(path);
        string folder = Path.GetDirectoryName(file)!;
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreOpenException($"{file}: its folder can't be created: name a file in a folder this user can write to", e);
        }

        CheckFileSystem(file, FileSystemType.Of(folder), allowNetworkFs, logger);
        return file;
    }

    /// <summary>The file of a registry that exists.</summary>
    /// <exception cref="StoreOpenException">There is none.</exception>
    public static string Find(string path)
    {
        string file = Resolve(path);
        return File.Exists(file)
            ? file
            : throw new StoreOpenException($"{file}: there is no such file: name the file of a registry");
    }

    /// <summary>Refuses a file system that SQLite rules out, and warns of one that may be such.</summary>
    /// <exception cref="StoreOpenException">It is refused.</exception>
    internal static void CheckFileSystem(string file, string? type, bool allowNetworkFs, ILogger logger)
    {
        bool isNetwork = IsNetwork(type);
        if (isNetwork && !allowNetworkFs)
        {
            throw new StoreOpenException(
                $"{file}: is on {type}, a network file system, where SQLite loses data: name a file on a local disk");
        }

        // Anything may be behind FUSE. What has a disk of its own is "fuseblk".
        if (isNetwork || type == "fuse" || type?.StartsWith("fuse.", StringComparison.Ordinal) == true)
        {
            LogUnsafe(logger, file, type);
        }
    }

    // Another machine may use the file too, and neither locks nor shared memory reach it (https://www.sqlite.org/wal.html,
    // https://www.sqlite.org/useovernet.html). To a virtual machine, its host is one. By name, as the system has no mark for them.
    private static bool IsNetwork(string? type) => type
        is "nfs" or "nfs4" or "cifs" or "smb" or "smb2" or "smb3" or "smbfs" or "afs" or "coda" or "ncp" or "ncpfs"
        or "ceph" or "fuse.ceph" or "fuse.ceph-fuse" or "glusterfs" or "fuse.glusterfs" or "lustre" or "gpfs" or "beegfs" or "orangefs"
        or "9p" or "v9fs" or "virtiofs" or "vboxsf" or "fuse.vmhgfs-fuse" or "fuse.grpcfuse"
        or "fuse.sshfs" or "fuse.rclone" or "fuse.s3fs" or "fuse.gcsfuse" or "fuse.blobfuse2" or "fuse.juicefs";

    private static string Resolve(string path)
    {
        string file = RealPath.Of(path);
        return Path.EndsInDirectorySeparator(path) || Directory.Exists(file)
            ? throw new StoreOpenException($"{file}: is a folder: name a file in it")
            : file;
    }

    [LoggerMessage(25, LogLevel.Warning, "{File} is on {Type}, where SQLite may lose data: prefer a local disk")]
    private static partial void LogUnsafe(ILogger logger, string file, string? type);
}
