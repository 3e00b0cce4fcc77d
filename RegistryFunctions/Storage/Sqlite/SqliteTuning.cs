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

    /// <summary>So little of the log, in pages, is copied in about a millisecond: worth a pause of the writer.</summary>
    public const int PagesWorthAPause = 256;

    /// <summary>
    /// How often the log is copied without reaching that, before the writer is made to pause: others may write as fast as
    /// this copies.
    /// </summary>
    public const int MaxRounds = 8;

    /// <summary>Of a log of so many pages, 120 MB, the writer copies the rest and writes nothing until it has.</summary>
    public const int MaxPages = 30_000;

    /// <summary>
    /// How long the writer pauses at most for the log to be copied. Without the pause the copy is overtaken, and the writer has
    /// to flush it: under strace the thread flushed one copy of nine, with the pause four of ten.
    /// </summary>
    public static readonly TimeSpan WriterPause = TimeSpan.FromMilliseconds(5);

    /// <summary>A writer that takes no turn for so long has nothing to write, which is as good as a pause.</summary>
    public static readonly TimeSpan WriterIsIdle = TimeSpan.FromMilliseconds(20);

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

    /// <summary>What a check reads before all cores verify it: enough for each, and little memory.</summary>
    public const int RowsPerCheckBatch = 1_000;

    /// <inheritdoc cref="RowsPerCheckBatch"/>
    public const int BytesPerCheckBatch = 16 * 1024 * 1024;
}
