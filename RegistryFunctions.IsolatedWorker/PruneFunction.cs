using Microsoft.Azure.Functions.Worker;
using RegistryFunctions.Functions;

namespace RegistryFunctions.IsolatedWorker;

/// <summary>Applies retention.</summary>
public sealed class PruneFunction(Prune prune)
{
    /// <summary>Prunes once.</summary>
    [Function(nameof(Prune))]
    public Task RunAsync([TimerTrigger("%PruneSchedule%")] TimerInfo timer, CancellationToken cancellationToken) =>
        prune.RunAsync(cancellationToken);
}
