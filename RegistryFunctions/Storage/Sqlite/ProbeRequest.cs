namespace RegistryFunctions.Storage.Sqlite;

/// <summary>Find out whether bundles can be written.</summary>
internal sealed class ProbeRequest()
    : WriteRequest<bool>(TaskCreationOptions.RunContinuationsAsynchronously, CancellationToken.None)
{
    /// <summary>Tells the caller what a publish would meet; null for nothing.</summary>
    public void Answer(Exception? error)
    {
        if (error is null)
        {
            Succeed(true);
        }
        else
        {
            Fail(error);
        }
    }
}
