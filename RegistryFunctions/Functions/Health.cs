using System.Text;
using Microsoft.Azure.Functions.Worker;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Functions;

/// <summary>
/// GET and HEAD /health/live and /health/ready. Live: the process answers. Ready: the store can be written and read, or is
/// full, so that only fetches go on.
/// </summary>
public sealed class Health(StoreProbe probe)
{
    /// <summary>Answers one request.</summary>
    [Function(nameof(Health))]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", "head", Route = "health/{probe}")] HttpRequest request) =>
        request.RouteValues["probe"] switch
        {
            "live" => new Status("""{"status":"live"}"""),
            "ready" => await ProbeAsync(),
            _ => new Problem(StatusCodes.Status404NotFound, "probe: must be live or ready"),
        };

    private async Task<Status> ProbeAsync()
    {
        try
        {
            await probe.RunAsync();
            return new Status("""{"status":"ready"}""");
        }
        catch (StoreException e) when (e.Fault == StoreFault.Full)
        {
            return new Status("""{"status":"degraded","detail":"the registry is full: publishes get 507, fetches still work"}""");
        }
    }

    private sealed class Status(string json) : IResult
    {
        public async Task ExecuteAsync(HttpContext httpContext)
        {
            HttpResponse response = httpContext.Response;
            response.ContentType = "application/json";
            response.ContentLength = json.Length;
            response.Headers.CacheControl = "no-store";
            await response.Body.WriteAsync(Encoding.ASCII.GetBytes(json), CancellationToken.None);
        }
    }
}
