using System.Buffers;
using System.IO.Pipelines;
using RegistryFunctions.Bundles;
using RegistryFunctions.RateLimits;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Functions;

/// <summary>POST /v0/keypackage: parse, verify, store, and answer 204 once the bundle is durable.</summary>
public sealed class Register(IBundleStore store, int maxBodyBytes, RateLimit<DeviceId>? deviceLimit)
{
    /// <summary>The route of the function.</summary>
    public const string Route = "v0/keypackage";

    /// <summary>Answers one request.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        if (!IsJson(context.Request))
        {
            await Problem.WriteAsync(
                context, StatusCodes.Status415UnsupportedMediaType, "content-type: must be application/json");
            return;
        }

        (Submission? submission, int status, string? error) = await ReadAsync(context);
        if (submission is null)
        {
            await Problem.WriteAsync(context, status, error!);
            return;
        }

        if (!VerifiedBundle.TryVerify(submission, out VerifiedBundle? bundle))
        {
            await Problem.WriteAsync(
                context, StatusCodes.Status400BadRequest, "signature: is not device_id's Ed25519 signature over payload");
            return;
        }

        switch (await store.PublishAsync(bundle, context.RequestAborted))
        {
            case PublishOutcome.Replayed:
                await Problem.WriteAsync(
                    context, StatusCodes.Status409Conflict, "payload: was accepted earlier and is current no more: publish a new payload");
                break;
            case PublishOutcome.TooMany:
                await Problem.WriteTooManyAsync(
                    context, deviceLimit!.RetryAfter, "too many new bundles of this device: wait and try again");
                break;
            default:
                context.Response.StatusCode = StatusCodes.Status204NoContent;
                break;
        }
    }

    private static bool IsJson(HttpRequest request) => request.ContentType switch
    {
        null or "application/json" => true,
        _ => request.HasJsonContentType(),
    };

    private async ValueTask<(Submission?, int Status, string? Error)> ReadAsync(HttpContext context)
    {
        if (context.Request.ContentLength > maxBodyBytes)
        {
            return TooLarge();
        }

        PipeReader body = context.Request.BodyReader;
        while (true)
        {
            // Not with the request's token: the server itself ends the read of a client that has gone, and could not
            // tidy up after one that was cancelled.
            ReadResult read = await body.ReadAsync(CancellationToken.None);
            if (read.Buffer.Length > maxBodyBytes)
            {
                body.AdvanceTo(read.Buffer.End);
                return TooLarge();
            }

            if (read.IsCompleted)
            {
                bool parsed = TryParse(read.Buffer, out Submission? submission, out string? error);
                body.AdvanceTo(read.Buffer.End);
                return parsed ? (submission, 0, null) : (null, StatusCodes.Status400BadRequest, error);
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

    private (Submission?, int, string) TooLarge() =>
        (null, StatusCodes.Status413PayloadTooLarge, $"body: must be at most {maxBodyBytes} bytes");
}
