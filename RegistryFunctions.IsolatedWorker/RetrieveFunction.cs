using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using RegistryFunctions.Functions;

namespace RegistryFunctions.IsolatedWorker;

/// <summary>Fetches a device's newest bundle.</summary>
public sealed class RetrieveFunction(Retrieve retrieve, AddressLimit limit)
{
    /// <summary>Answers on the response itself.</summary>
    [Function(nameof(Retrieve))]
    public Task RunAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", "head", Route = Retrieve.Route)] HttpRequest request) =>
        limit.Around(retrieve.InvokeAsync)(request.HttpContext);
}
