using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using RegistryFunctions.Functions;

namespace RegistryFunctions.IsolatedWorker;

/// <summary>Publishes a bundle.</summary>
public sealed class RegisterFunction(Register register)
{
    /// <summary>Answers on the response itself.</summary>
    [Function(nameof(Register))]
    public Task RunAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = Register.Route)] HttpRequest request) =>
        register.InvokeAsync(request.HttpContext);
}
