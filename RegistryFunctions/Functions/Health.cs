using System.Text;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Functions;

/// <summary>
/// GET and HEAD /health/live and /health/ready. Live: the process answers. Ready: the store can be written and read, or is
/// full, so that only fetches go on.
/// </summary>
public sealed class Health(IBundleStore store, TimeProvider time)
{
    /// <summary>The route of the function.</summary>
    public const string Route = "health/{probe}";

    // Anyone may ask, as often as they like: the store is probed once for all who ask meanwhile and shortly after.
    private static readonly TimeSpan ProbeKeptFor = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private Task? _probe;
    private long _probedAt;

    /// <summary>Answers one request.</summary>
    public Task InvokeAsync(HttpContext context) => context.Request.RouteValues["probe"] switch
    {
        "live" => AnswerAsync(context, """{"status":"live"}"""),
        "ready" => AnswerReadyAsync(context),
        _ => Problem.WriteAsync(context, StatusCodes.Status404NotFound, "probe: must be live or ready"),
    };

    private async Task AnswerReadyAsync(HttpContext context)
    {
        string answer;
        try
        {
            await ProbeAsync();
            answer = """{"status":"ready"}""";
        }
        catch (StoreException e) when (e.Fault == StoreFault.Full)
        {
            answer = """{"status":"degraded","detail":"the registry is full: publishes get 507, fetches go on"}""";
        }

        await AnswerAsync(context, answer);
    }

    private Task ProbeAsync()
    {
        lock (_lock)
        {
            if (_probe is null || (_probe.IsCompleted && time.GetElapsedTime(_probedAt) >= ProbeKeptFor))
            {
                _probedAt = time.GetTimestamp();
                // Not in here: a disk that hangs must not hang those who ask whether the process lives.
                _probe = Task.Run(() => store.ProbeAsync().AsTask());
            }

            return _probe;
        }
    }

    private static async Task AnswerAsync(HttpContext context, string json)
    {
        HttpResponse response = context.Response;
        response.ContentType = "application/json";
        response.ContentLength = json.Length;
        response.Headers.CacheControl = "no-store";
        await response.Body.WriteAsync(Encoding.ASCII.GetBytes(json), context.RequestAborted);
    }
}
