namespace RegistryFunctions.Storage;

/// <summary>
/// Logs a lasting fault once, when it begins, and once more when it is over. One that comes and goes, as for a publish that
/// does not fit and the next that does, is told once a minute; one that comes again and stays is told when the minute is over.
/// </summary>
/// <param name="logger">Where to.</param>
/// <param name="work">What can't be done meanwhile: "written" or "read".</param>
/// <param name="time">Tells when a minute is over.</param>
internal sealed partial class FaultLog(ILogger logger, string work, TimeProvider time)
{
    private static readonly TimeSpan Silence = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<StoreFault, long> _toldAt = [];
    private volatile bool _isFaulty;
    private StoreFault _current;
    private bool _isTold;
    private bool _endIsDue;

    public void Report(StoreFault fault, Exception cause)
    {
        lock (_lock)
        {
            if (!_isFaulty || _current != fault)
            {
                (_isFaulty, _current, _isTold) = (true, fault, false);
            }

            // Asked again as long as the fault lasts: one that began in the minute of another is told after it.
            if (!_isTold && (!_toldAt.TryGetValue(fault, out long last) || time.GetElapsedTime(last) >= Silence))
            {
                (_toldAt[fault], _isTold, _endIsDue) = (time.GetTimestamp(), true, true);
                LogBegin(work, fault, cause.Message);
            }
        }
    }

    public void Healed()
    {
        // Read first: this is on the path of every request.
        if (!_isFaulty)
        {
            return;
        }

        lock (_lock)
        {
            if (_endIsDue)
            {
                LogEnd(work, _current);
            }

            (_isFaulty, _endIsDue) = (false, false);
        }
    }

    [LoggerMessage(20, LogLevel.Error, "Bundles can't be {Work}: {Fault}. {Cause}")]
    private partial void LogBegin(string work, StoreFault fault, string cause);

    [LoggerMessage(21, LogLevel.Information, "Bundles can be {Work} again (was: {Fault}).")]
    private partial void LogEnd(string work, StoreFault fault);
}
