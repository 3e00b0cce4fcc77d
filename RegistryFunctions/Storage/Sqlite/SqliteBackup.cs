using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>What a backup holds.</summary>
/// <param name="Bundles">How many bundles.</param>
/// <param name="Bytes">The size of its file.</param>
internal sealed record BackupContent(long Bundles, long Bytes);

/// <summary>
/// Copies the database to a new file while others read and write it (https://www.sqlite.org/backup.html).
/// </summary>
internal static class SqliteBackup
{
    /// <summary>
    /// Copies what <paramref name="source"/> holds now to <paramref name="target"/>, which appears when it is complete and
    /// durable, and else not at all. It is one file that a store can be opened on.
    /// </summary>
    /// <param name="source">The file of a registry.</param>
    /// <param name="target">A file that does not exist.</param>
    /// <param name="progress">Told the share that is done, from 0 to 1.</param>
    /// <param name="cancellationToken">Ends it, leaving nothing behind.</param>
    /// <exception cref="StoreOpenException">There is no registry at the source, or the target can't be created.</exception>
    /// <exception cref="StoreException">It failed under way.</exception>
    public static BackupContent Copy(
        string source, string target, Action<double> progress, CancellationToken cancellationToken)
    {
        source = DatabasePath.Find(source);
        target = Path.GetFullPath(target);
        using SqliteSession database = SqliteFile.OpenForBackup(source, SqliteSchema.Migrations);
        // A log or a journal of an earlier database would be taken for the backup's own, and replayed into it.
        using NewFile file = NewFile.Create(target, taken: [$"{target}-wal", $"{target}-journal"], like: source);
        try
        {
            long bundles = CopyPages(database, file.Partial, progress, cancellationToken);
            file.Complete(cancellationToken);
            return new BackupContent(bundles, new FileInfo(target).Length);
        }
        catch (SqliteException e) when (SqliteFault.Of(e) is { } fault && e.SqliteErrorCode != raw.SQLITE_CORRUPT)
        {
            throw new StoreException(fault, $"{target}: {SqliteFault.Explain(e)}", e);
        }
        catch (SqliteException e)
        {
            throw new StoreException(StoreFault.Unavailable, $"{source}: can't be backed up: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StoreException(StoreFault.Unavailable, $"{target}: can't be written: {e.Message}", e);
        }
    }

    // Returns how many bundles were copied.
    private static long CopyPages(
        SqliteSession database, string partial, Action<double> progress, CancellationToken cancellationToken)
    {
        // One snapshot from begin to end. Without it, SQLite would begin anew whenever somebody else has written between two
        // steps, and so under load never end. Meanwhile the write-ahead log is not begun anew.
        using SqliteTransaction snapshot = database.Begin(deferred: true);
        long bundles = database.Scalar<long>("SELECT count(*) FROM bundle");
        using SqliteSession copy = SqliteFile.OpenForCopy(partial);
        using sqlite3_backup backup = raw.sqlite3_backup_init(copy.Handle, "main", database.Handle, "main");
        int code;
        while ((code = raw.sqlite3_backup_step(backup, SqliteTuning.PagesPerBackupStep)) == raw.SQLITE_OK)
        {
            progress(1 - ((double)raw.sqlite3_backup_remaining(backup) / raw.sqlite3_backup_pagecount(backup)));
            cancellationToken.ThrowIfCancellationRequested();
        }

        return code == raw.SQLITE_DONE
            ? bundles
            : throw new SqliteException(raw.sqlite3_errstr(code).utf8_to_string(), code & SqliteFault.PrimaryCode, code);
    }
}
