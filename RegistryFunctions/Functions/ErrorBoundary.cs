using System.Globalization;
using Microsoft.AspNetCore.Connections;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Functions;

/// <summary>
/// Stands around the functions and turns what goes wrong inside into problems: faults of the store, bodies that do
/// not arrive, bugs.
/// </summary>
public sealed partial class ErrorBoundary(ILogger<ErrorBoundary> logger)
{
    private const int RetryAfterSeconds = 1;

    /// <summary>
    /// Runs the rest of the pipeline and turns what goes wrong in it, and errors without a body such as the
    /// router's 404 and 405, into problems.
    /// </summary>
    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
            if (context.Response is { HasStarted: false, StatusCode: >= 400, ContentType: null })
            {
                await Problem.WriteAsync(context, context.Response.StatusCode, DetailOf(context));
            }
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            await AnswerAsync(context, e);
        }
    }

    private Task AnswerAsync(HttpContext context, Exception exception)
    {
        switch (exception)
        {
            case BadHttpRequestException bad:
                return Problem.WriteAsync(context, bad.StatusCode, "body: did not arrive whole");
            case StoreException { Fault: StoreFault.Full }:
                return Problem.WriteAsync(
                    context, StatusCodes.Status507InsufficientStorage, "the registry is full: try again later");
            case StoreException store:
                context.Response.Headers.RetryAfter = RetryAfterSeconds.ToString(CultureInfo.InvariantCulture);
                return Problem.WriteAsync(context, StatusCodes.Status503ServiceUnavailable, DetailOf(store.Fault));
            case OperationCanceledException or ConnectionResetException:
                // The client has gone, or the server cuts what it can't wait for: nobody is there to read an answer.
                context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
                return Task.CompletedTask;
            default:
                LogUnexpected(exception);
                return Problem.WriteAsync(
                    context, StatusCodes.Status500InternalServerError, "an unexpected error, which has been logged");
        }
    }

    private static string DetailOf(StoreFault fault) => fault == StoreFault.Busy
        ? "the registry is busy: try again"
        : "the registry's storage does not answer: try again later";

    private static string DetailOf(HttpContext context) => context.Response.StatusCode switch
    {
        StatusCodes.Status404NotFound => "there is nothing at this path",
        StatusCodes.Status405MethodNotAllowed => $"method: must be one of {context.Response.Headers.Allow}",
        int status => $"status {status}",
    };

    [LoggerMessage(30, LogLevel.Error, "A request failed unexpectedly")]
    private partial void LogUnexpected(Exception exception);
}
