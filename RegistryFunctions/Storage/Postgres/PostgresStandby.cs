using Npgsql;

namespace RegistryFunctions.Storage.Postgres;

/// <summary>
/// A standby that fetches are asked of for as long as it is known to have all that was committed a short time ago. To know
/// it, the position of the primary's log is noted every now and then: once the standby has replayed up to it, the standby has all
/// that was acknowledged before the note. No clock but this machine's is asked.
/// </summary>
internal sealed partial class PostgresStandby : IAsyncDisposable
{
    // Written: an acknowledged commit has come so far at least.
    private const string Position = "SELECT (pg_current_wal_lsn() - '0/0')::bigint";

    // Null where it is no standby.
    private const string Replayed =
        "SELECT CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0')::bigint END";

    private readonly NpgsqlDataSource _primary;
    private readonly NpgsqlDataSource _standby;
    private readonly TimeSpan _maxLag;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _end = new();
    private readonly Task _run;

    // Used by the loop only.
    private readonly Queue<(long At, long Position)> _notes = [];
    private bool _isToldToLag;

    // A timestamp: it has all that was acknowledged before. Any number of requests read it.
    private long _asOf;

    /// <summary>Begins to follow it. Until it is known to be near enough, it is not used.</summary>
    public PostgresStandby(NpgsqlDataSource primary, PostgresStoreOptions options, TimeProvider time, ILogger logger)
    {
        _primary = primary;
        _standby = PostgresServer.Pool(options.Standby!, allowLossyCommits: true);
        _maxLag = options.MaxLag;
        _time = time;
        _logger = logger;
        _asOf = Never;
        _run = Task.Run(FollowAsync);
    }

    /// <summary>Where to fetch from; null where it lags too far behind, or can't be asked.</summary>
    public NpgsqlDataSource? Fresh => IsFresh ? _standby : null;

    private bool IsFresh => _time.GetElapsedTime(Interlocked.Read(ref _asOf)) <= _maxLag;

    private long Never => _time.GetTimestamp() - (long)((_maxLag + TimeSpan.FromDays(1)).TotalSeconds * _time.TimestampFrequency);

    /// <summary>It has failed to answer: nobody else is to wait for it until it is known to be there again.</summary>
    public void Distrust() => Interlocked.Exchange(ref _asOf, Never);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _run;
        _end.Dispose();
        await _standby.DisposeAsync();
    }

    private async Task FollowAsync()
    {
        using var timer = new PeriodicTimer(PostgresTuning.LagLook(_maxLag), _time);
        try
        {
            do
            {
                string? reason = await LookAsync();
                Tell(IsFresh ? null : reason ?? "it is too far behind");
            }
            while (await timer.WaitForNextTickAsync(_end.Token));
        }
        catch (OperationCanceledException) when (_end.IsCancellationRequested)
        {
            // The store is closing.
        }
    }

    // Returns why nothing can be said of it; null where something can.
    private async Task<string?> LookAsync()
    {
        try
        {
            long at = _time.GetTimestamp();
            List<long> position = await _primary.QueryAsync(Position, _ => { }, row => row.GetInt64(0), cancellationToken: _end.Token);
            _notes.Enqueue((at, position[0]));
            List<long?> replayed = await _standby.QueryAsync(
                Replayed, _ => { }, row => row.IsDBNull(0) ? (long?)null : row.GetInt64(0), cancellationToken: _end.Token);
            if (replayed[0] is not { } reached)
            {
                Distrust();
                return "it is no standby, or has become the primary";
            }

            while (_notes.TryPeek(out (long At, long Position) note) && note.Position <= reached)
            {
                Interlocked.Exchange(ref _asOf, note.At);
                _notes.Dequeue();
            }

            return null;
        }
        catch (Exception e) when (PostgresFaults.AsStoreException(e) is { } fault)
        {
            return fault.Message;
        }
        finally
        {
            // What is older says nothing that counts.
            while (_notes.TryPeek(out (long At, long Position) note) && _time.GetElapsedTime(note.At) > _maxLag)
            {
                _notes.Dequeue();
            }
        }
    }

    private void Tell(string? reason)
    {
        if (reason is not null && !_isToldToLag)
        {
            LogLag(_logger, reason);
        }
        else if (reason is null && _isToldToLag)
        {
            LogFresh(_logger);
        }

        _isToldToLag = reason is not null;
    }

    [LoggerMessage(26, LogLevel.Warning, "Fetches are asked of the primary, not of the standby (--db-read): {Reason}.")]
    private static partial void LogLag(ILogger logger, string reason);

    [LoggerMessage(27, LogLevel.Information, "Fetches are asked of the standby again (--db-read).")]
    private static partial void LogFresh(ILogger logger);
}
