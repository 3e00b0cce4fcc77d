namespace RegistryFunctions.Storage.Sqlite;

/// <summary>The numbers that tune the store, each with its reason. None of them changes what the store promises.</summary>
internal static class SqliteTuning
{
    /// <summary>
    /// Publishes that may wait, about half a second's worth; more would only wait longer. The rest is told to come again.
    /// </summary>
    public const int QueueCapacity = 4_096;

    /// <summary>Publishes in one transaction. With so many, the fsync is a small part of the time that the batch takes.</summary>
    public const int MaxBatch = 512;

    /// <summary>
    /// How many pages are written to the log before it is copied: 16 MB, or some 2,600 bundles. With 15,000 pages, as many
    /// bundles were taken a second, but the flush of the copy held up commits for up to 100 ms; with 2,000, 5 % fewer were
    /// taken, with 250 copied by the writer alone about a quarter fewer.
    /// </summary>
    public const int PagesBetweenCheckpoints = 4_000;

    /// <summary>What the log may keep of the disk after a burst or a backup: about three times what it usually grows to.</summary>
    public const int IdleLogBytes = 64 * 1024 * 1024;

    /// <summary>How often an idle writer moves its anchor on: what another process has written is held no longer.</summary>
    public static readonly TimeSpan AnchorInterval = TimeSpan.FromSeconds(1);

    /// <summary>
    /// What one step of a prune drops. It touches a page of the index by device for nearly every bundle, and takes a few
    /// milliseconds.
    /// </summary>
    public const int RowsPerPruneStep = 500;

    /// <summary>How long SQLite waits for another process's lock before it gives up with SQLITE_BUSY.</summary>
    public const int BusyTimeoutMs = 5_000;

    /// <summary>
    /// How many readers are kept open. A reader is used without waiting, so more than there are cores are seldom in use.
    /// </summary>
    public static readonly int IdleReaders = Environment.ProcessorCount + 1;

    /// <summary>
    /// The caches of these readers together. The share of one, on two cores, holds the inner pages of both trees of two million
    /// bundles.
    /// </summary>
    public const int ReaderCachesKiB = 36 * 1024;

    /// <summary>What a backup copies at once: 4 MiB, often enough to show progress and to be cancelled.</summary>
    public const int PagesPerBackupStep = 1_024;

    /// <summary>What a copy reads and writes at once: often enough to show progress, and seldom enough to flush.</summary>
    public const int DevicesPerCopyStep = 500;

    /// <summary>What a check reads before all cores verify it: enough for each, and little memory.</summary>
    public const int RowsPerCheckBatch = 1_000;

    /// <inheritdoc cref="RowsPerCheckBatch"/>
    public const int BytesPerCheckBatch = 16 * 1024 * 1024;
}
