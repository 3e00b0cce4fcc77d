using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Functions;

/// <summary>
/// Every error of the registry: application/problem+json (RFC 9457, of type about:blank, so the status says what
/// kind it is), with the detail repeated as the member <c>error</c>, which existing clients print. A detail never carries a path, SQL or a stack trace.
/// </summary>
public static partial class Problem
{
    private const int RetryAfterSeconds = 1;

    /// <summary>Answers with a problem.</summary>
    public static async Task WriteAsync(HttpContext context, int status, string detail)
    {
        var body = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "about:blank"u8);
            json.WriteString("title"u8, ReasonPhrases.GetReasonPhrase(status));
            json.WriteNumber("status"u8, status);
            json.WriteString("detail"u8, detail);
            json.WriteString("error"u8, detail);
            json.WriteEndObject();
        }

        HttpResponse response = context.Response;
        response.StatusCode = status;
        response.ContentType = "application/problem+json";
        response.ContentLength = body.WrittenCount;
        response.Headers.CacheControl = "no-store";
        await response.Body.WriteAsync(body.WrittenMemory, context.RequestAborted);
    }

    /// <summary>
    /// Runs the rest of the pipeline and turns what goes wrong in it, and errors without a body such as the
    /// router's 404 and 405, into problems.
    /// </summary>
    public static async Task InvokeAsync(HttpContext context, RequestDelegate next, ILogger logger)
    {
        try
        {
            await next(context);
            if (context.Response is { HasStarted: false, StatusCode: >= 400, ContentType: null })
            {
                await WriteAsync(context, context.Response.StatusCode, DetailOf(context));
            }
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            await WriteAsync(context, e, logger);
        }
    }

    private static Task WriteAsync(HttpContext context, Exception exception, ILogger logger)
    {
        switch (exception)
        {
            case BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge }:
                return WriteAsync(context, StatusCodes.Status413PayloadTooLarge, "body: is over the limit");
            case BadHttpRequestException bad:
                return WriteAsync(context, bad.StatusCode, "body: did not arrive whole");
            case StoreException { Fault: StoreFault.Full }:
                return WriteAsync(
                    context, StatusCodes.Status507InsufficientStorage, "the registry is full: try again later");
            case StoreException store:
                context.Response.Headers.RetryAfter = RetryAfterSeconds.ToString();
                return WriteAsync(context, StatusCodes.Status503ServiceUnavailable, DetailOf(store.Fault));
            case OperationCanceledException when context.RequestAborted.IsCancellationRequested:
                // Nobody is there to read it; the status is for logs.
                context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
                return Task.CompletedTask;
            default:
                LogUnexpected(logger, exception);
                return WriteAsync(
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
    private static partial void LogUnexpected(ILogger logger, Exception exception);
}
