using Microsoft.AspNetCore.Connections;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Middleware;
using RegistryFunctions.Functions;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Middleware;

/// <summary>
/// Stands around the HTTP functions and turns what goes wrong inside into problems: faults of the store, bodies that do not
/// arrive, bugs. For the worker and for ASP.NET Core alike.
/// </summary>
public sealed partial class ErrorBoundary(ILogger<ErrorBoundary> logger) : IFunctionsWorkerMiddleware
{
    /// <summary>Runs a function of the worker. The worker's own answer to an exception would be empty.</summary>
    public Task Invoke(FunctionContext context, FunctionExecutionDelegate next) =>
        context.GetHttpContext() is { } http
            ? RunAsync(http, async () =>
            {
                await next(context);
                // The answer is written in here, and only here: the worker would write it outside the boundary, and then
                // serialise it once more, payload and all, to send it to the host.
                InvocationResult result = context.GetInvocationResult();
                var answer = (IResult)result.Value!;
                result.Value = null;
                await answer.ExecuteAsync(http);
            })
            : next(context);

    /// <summary>Runs the rest of ASP.NET Core's pipeline, and gives the router's 404 and 405 a body.</summary>
    public Task InvokeAsync(HttpContext context, RequestDelegate next) => RunAsync(context, async () =>
    {
        await next(context);
        if (context.Response is { HasStarted: false, StatusCode: >= 400, ContentType: null } response)
        {
            await new Problem(response.StatusCode, DetailOf(response)).ExecuteAsync(context);
        }
    });

    private async Task RunAsync(HttpContext context, Func<Task> run)
    {
        try
        {
            await run();
        }
        catch (Exception e)
        {
            IResult answer = Explain(e, context);
            if (context.Response.HasStarted)
            {
                // Too late to say so: the connection is cut.
                throw;
            }

            await answer.ExecuteAsync(context);
        }
    }

    private IResult Explain(Exception exception, HttpContext context)
    {
        switch (exception)
        {
            case BadHttpRequestException bad:
                return new Problem(bad.StatusCode, "body: incomplete or malformed");
            case StoreException store:
                return Problem.Of(store.Fault);
            case ConnectionResetException:
            case OperationCanceledException when context.RequestAborted.IsCancellationRequested:
                // The client has gone, or the server cuts what it can't wait for: nobody is there to read an answer.
                return new Empty(StatusCodes.Status499ClientClosedRequest);
            default:
                LogUnexpected(exception);
                return new Problem(StatusCodes.Status500InternalServerError, "an unexpected error, which has been logged");
        }
    }

    private static string DetailOf(HttpResponse response) => response.StatusCode switch
    {
        StatusCodes.Status404NotFound => "there is nothing at this path",
        StatusCodes.Status405MethodNotAllowed => $"method: must be {response.Headers.Allow.ToString().Replace(", ", " or ", StringComparison.Ordinal)}",
        int status => $"status {status}",
    };

    [LoggerMessage(30, LogLevel.Error, "A request failed unexpectedly")]
    private partial void LogUnexpected(Exception exception);
}
