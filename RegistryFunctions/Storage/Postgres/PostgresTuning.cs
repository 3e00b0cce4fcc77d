namespace RegistryFunctions.Storage.Postgres;

/// <summary>The numbers that tune the store, each with its reason. None of them changes what the store promises.</summary>
internal static class PostgresTuning
{
    /// <summary>
    /// What a connection is set to where the operator says nothing else. A request does not wait longer than 5 seconds for a
    /// connection or an answer. A pool of 20 lets several instances share a server, which takes 100 connections by default.
    /// Every statement is prepared when it is first used; sessions keep nothing that would have to be reset.
    /// </summary>
    public const string Connection =
        "Application Name=RegistryFunctions;Timeout=5;Command Timeout=5;Maximum Pool Size=20;Enlist=false;"
        + "No Reset On Close=true;Max Auto Prepare=32;Auto Prepare Min Usages=1;Include Failed Batched Command=true";

    /// <summary>
    /// How long a statement waits for a row that another transaction has locked, unless the server or the role says. Less
    /// than the command's time, so that the server says which statement it was.
    /// </summary>
    public const string LockTimeout = "3s";

    /// <summary>
    /// Writers, each with a connection of its own. A device always has the same one, so its publishes keep their order and
    /// do not wait for each other's locks. One would leave the server's other cores idle.
    /// </summary>
    public const int Writers = 4;

    /// <summary>Publishes that may wait for one writer; the rest is told to come again.</summary>
    public const int QueueCapacity = 1_024;

    /// <summary>Publishes in one transaction. With so many, the round trip and the flush are a small part of its time.</summary>
    public const int MaxBatch = 256;

    /// <summary>How long a batch that fails is tried again in parts before the rest of it is refused.</summary>
    public static readonly TimeSpan MaxRetry = TimeSpan.FromSeconds(5);

    /// <summary>How often a batch is written again because another transaction was at the same rows.</summary>
    public const int MaxCollisions = 10;

    /// <summary>What one step of a prune looks at. It keeps publishes of these devices waiting for some milliseconds.</summary>
    public const int DevicesPerPruneStep = 200;

    /// <summary>What is read at once to find devices that hold more than a limit that was lowered.</summary>
    public const int RowsPerTrimStep = 10_000;

    /// <summary>How long a lease lasts that is not renewed: longer than any step takes.</summary>
    public const string Lease = "60 seconds";

    /// <summary>How often an instance looks whether another has finished the migration.</summary>
    public static readonly TimeSpan MigrationPoll = TimeSpan.FromMilliseconds(100);

    /// <summary>How long a start waits for another instance's migration: as long as its lease may outlive it, and more.</summary>
    public static readonly TimeSpan MigrationPatience = TimeSpan.FromMinutes(2);

    /// <summary>
    /// How often a standby's lag is looked at: several times within what is allowed, as one that is never behind is known to be
    /// fresh only up to the last look.
    /// </summary>
    public static TimeSpan LagLook(TimeSpan maxLag) => TimeSpan.FromSeconds(double.Clamp(maxLag.TotalSeconds / 5, 0.2, 1));

    /// <summary>What a copy or a check reads at once, and a copy writes in one transaction.</summary>
    public const int DevicesPerCopyStep = 250;

    /// <summary>
    /// How often a token of a managed identity is asked for. They last an hour or longer and are kept by whoever gives them,
    /// so that asking costs nothing.
    /// </summary>
    public static readonly TimeSpan TokenRefresh = TimeSpan.FromMinutes(5);

    /// <summary>How soon it is asked for again where none was given.</summary>
    public static readonly TimeSpan TokenRetry = TimeSpan.FromSeconds(5);

    /// <summary>Seconds that a count of what is due, or a step of a copy, may take: nobody waits for it.</summary>
    public const int CountTimeoutSecs = 600;
}
