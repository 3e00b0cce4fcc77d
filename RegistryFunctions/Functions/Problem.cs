using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Functions;

/// <summary>
/// An error as an answer: application/problem+json (RFC 9457, of type about:blank, so the status says what kind it is), with
/// the detail repeated as the member <c>error</c>, which existing clients print.
/// </summary>
/// <param name="status">The HTTP status.</param>
/// <param name="detail">What a person can act on. Never a path, SQL or a stack trace.</param>
/// <param name="retryAfter">After how long to try again, where waiting helps.</param>
public sealed class Problem(int status, string detail, TimeSpan? retryAfter = null) : IResult
{
    /// <summary>What a fault of the store answers.</summary>
    public static Problem Of(StoreFault fault) => fault switch
    {
        StoreFault.Full => new(StatusCodes.Status507InsufficientStorage, "the registry is full: try again later"),
        StoreFault.Busy => new(
            StatusCodes.Status503ServiceUnavailable, "the registry is busy: try again", TimeSpan.FromSeconds(1)),
        _ => new(
            StatusCodes.Status503ServiceUnavailable,
            "the registry's storage is unavailable: try again later",
            TimeSpan.FromSeconds(1)),
    };

    /// <summary>Writes the answer.</summary>
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        HttpResponse response = httpContext.Response;
        byte[] body = ToJson();
        response.StatusCode = status;
        response.ContentType = "application/problem+json";
        response.ContentLength = body.Length;
        response.Headers.CacheControl = "no-store";
        if (retryAfter is { } wait)
        {
            response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        }

        // Without the request's token: a disconnected client is not an error.
        await response.Body.WriteAsync(body, CancellationToken.None);
    }

    private byte[] ToJson()
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

        return body.WrittenSpan.ToArray();
    }
}
