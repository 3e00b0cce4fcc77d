namespace RegistryFunctions.Storage;

/// <summary>Logs a lasting fault once, when it begins, and once more when it is over. Used by one thread.</summary>
internal sealed partial class FaultLog(ILogger logger)
{
    private StoreFault? _current;

    public void Report(StoreFault fault, Exception cause)
    {
        if (_current != fault)
        {
            _current = fault;
            LogBegin(logger, fault, cause.Message);
        }
    }

    public void Healed()
    {
        if (_current is { } fault)
        {
            _current = null;
            LogEnd(logger, fault);
        }
    }

    [LoggerMessage(20, LogLevel.Error, "Bundles can't be written: {Fault}. {Cause}")]
    private static partial void LogBegin(ILogger logger, StoreFault fault, string cause);

    [LoggerMessage(21, LogLevel.Information, "Bundles can be written again after: {Fault}.")]
    private static partial void LogEnd(ILogger logger, StoreFault fault);
}
