using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using RegistryFunctions.Functions;

namespace RegistryFunctions.IsolatedWorker;

/// <summary>Tells whether the registry works.</summary>
public sealed class HealthFunction(Health health)
{
    /// <summary>Answers on the response itself.</summary>
    [Function(nameof(Health))]
    public Task RunAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", "head", Route = Health.Route)] HttpRequest request) =>
        health.InvokeAsync(request.HttpContext);
}
