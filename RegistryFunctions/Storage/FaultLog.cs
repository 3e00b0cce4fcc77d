namespace RegistryFunctions.Storage;

/// <summary>Logs a lasting fault once, when it begins, and once more when it is over.</summary>
/// <param name="logger">Where to.</param>
/// <param name="work">What can't be done meanwhile: "written" or "read".</param>
internal sealed partial class FaultLog(ILogger logger, string work)
{
    private const int None = -1;

    private int _current = None;

    public void Report(StoreFault fault, Exception cause)
    {
        if (Interlocked.Exchange(ref _current, (int)fault) != (int)fault)
        {
            LogBegin(work, fault, cause.Message);
        }
    }

    public void Healed()
    {
        // Read first: this is on the path of every request.
        if (Volatile.Read(ref _current) != None && Interlocked.Exchange(ref _current, None) is var fault and not None)
        {
            LogEnd(work, (StoreFault)fault);
        }
    }

    [LoggerMessage(20, LogLevel.Error, "Bundles can't be {Work}: {Fault}. {Cause}")]
    private partial void LogBegin(string work, StoreFault fault, string cause);

    [LoggerMessage(21, LogLevel.Information, "Bundles can be {Work} again after: {Fault}.")]
    private partial void LogEnd(string work, StoreFault fault);
}
