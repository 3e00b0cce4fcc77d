using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using RegistryFunctions.Functions;

namespace RegistryFunctions.IsolatedWorker;

/// <summary>Publishes a bundle.</summary>
public sealed class RegisterFunction(Register register, AddressLimit limit)
{
    /// <summary>Answers on the response itself.</summary>
    [Function(nameof(Register))]
    public Task RunAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = Register.Route)] HttpRequest request) =>
        limit.Around(register.InvokeAsync)(request.HttpContext);
}
