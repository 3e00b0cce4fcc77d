using System.Buffers;
using System.IO.Pipelines;
using Microsoft.Azure.Functions.Worker;
using RegistryFunctions.Bundles;
using RegistryFunctions.RateLimits;
using RegistryFunctions.Settings;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Functions;

/// <summary>POST /v0/keypackage: parse, verify, store, and answer 204 once the bundle is durable.</summary>
public sealed class Register(IBundleStore store, RateLimit<DeviceId> deviceLimit, RegistryOptions options)
{
    private const string Identity = "identity";

    /// <summary>Answers one request.</summary>
    [Function(nameof(Register))]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v0/keypackage")] HttpRequest request)
    {
        if (!IsJson(request))
        {
            return new Problem(StatusCodes.Status415UnsupportedMediaType, "content-type: must be application/json");
        }

        if (EncodingOf(request) is { } encoding)
        {
            // RFC 9110, section 15.5.16.
            request.HttpContext.Response.Headers.AcceptEncoding = Identity;
            return new Problem(
                StatusCodes.Status415UnsupportedMediaType, $"content-encoding: must be {Identity} or absent, not {encoding}");
        }

        (Submission? submission, Problem? problem) = await ReadAsync(request);
        if (submission is null)
        {
            return problem!;
        }

        if (!VerifiedBundle.TryVerify(submission, out VerifiedBundle? bundle))
        {
            return new Problem(
                StatusCodes.Status400BadRequest, "signature: is not device_id's Ed25519 signature over payload");
        }

        return await store.PublishAsync(bundle, request.HttpContext.RequestAborted) switch
        {
            PublishOutcome.Replayed => new Problem(
                StatusCodes.Status409Conflict,
                "payload: was accepted earlier and is no longer current: publish a new payload"),
            PublishOutcome.TooMany => new Problem(
                StatusCodes.Status429TooManyRequests,
                "too many new bundles from this device: wait and try again",
                deviceLimit.RetryAfter),
            _ => Empty.NoContent,
        };
    }

    // Null where the body comes as it is.
    private static string? EncodingOf(HttpRequest request) =>
        (string?)request.Headers.ContentEncoding is { } encoding && !encoding.Equals(Identity, StringComparison.OrdinalIgnoreCase)
            ? encoding
            : null;

    private static bool IsJson(HttpRequest request) => request.ContentType switch
    {
        null or "application/json" => true,
        _ => request.HasJsonContentType(),
    };

    private async ValueTask<(Submission?, Problem?)> ReadAsync(HttpRequest request)
    {
        if (request.ContentLength > options.MaxBodyBytes)
        {
            return (null, TooLarge());
        }

        PipeReader body = request.BodyReader;
        while (true)
        {
            // Without the request's token: the server itself ends the read when the client has gone, and it could not clean up
            // after a read that was cancelled.
            ReadResult read = await body.ReadAsync(CancellationToken.None);
            if (read.Buffer.Length > options.MaxBodyBytes)
            {
                body.AdvanceTo(read.Buffer.End);
                return (null, TooLarge());
            }

            if (read.IsCompleted)
            {
                (Submission?, Problem?) parsed = TryParse(read.Buffer, out Submission? submission, out string? error)
                    ? (submission, null)
                    : (null, new Problem(StatusCodes.Status400BadRequest, error!));
                body.AdvanceTo(read.Buffer.End);
                return parsed;
            }

            body.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private static bool TryParse(in ReadOnlySequence<byte> body, out Submission? submission, out string? error)
    {
        if (body.IsSingleSegment)
        {
            return BundleJson.TryRead(body.FirstSpan, out submission, out error);
        }

        byte[] whole = ArrayPool<byte>.Shared.Rent((int)body.Length);
        body.CopyTo(whole);
        bool parsed = BundleJson.TryRead(whole.AsSpan(0, (int)body.Length), out submission, out error);
        ArrayPool<byte>.Shared.Return(whole);
        return parsed;
    }

    private Problem TooLarge() =>
        new(StatusCodes.Status413PayloadTooLarge, $"body: must be at most {options.MaxBodyBytes} bytes");
}
