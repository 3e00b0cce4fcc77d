using System.Buffers.Text;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Functions;

/// <summary>GET and HEAD /v0/keypackage/{device_id}: the device's newest bundle, byte for byte as it was signed.</summary>
public sealed class Retrieve(IBundleStore store)
{
    /// <summary>Answers one request.</summary>
    [Function(nameof(Retrieve))]
    public async Task<IResult> RunAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", "head", Route = "v0/keypackage/{device_id}")] HttpRequest request)
    {
        Bundle? bundle = DeviceId.TryParse(request.RouteValues["device_id"] as string, out DeviceId device)
            ? await store.FindNewestAsync(device, request.HttpContext.RequestAborted)
            : null;
        if (bundle is null)
        {
            return new Problem(StatusCodes.Status404NotFound, "device_id: no bundle is registered for it");
        }

        string etag = EntityTag(bundle);
        IHeaderDictionary headers = request.HttpContext.Response.Headers;
        headers.ETag = etag;
        headers.CacheControl = "no-cache";
        return Names(request.Headers.IfNoneMatch, etag) ? Empty.NotModified : new Found(bundle);
    }

    // The signature names the bundle: under one key, no two payloads that anyone can find share one.
    private static string EntityTag(Bundle bundle) => $"\"{Base64Url.EncodeToString(bundle.Signature.Span)}\"";

    // RFC 9110, section 13.1.2: weak comparison, "*" names any.
    private static bool Names(StringValues ifNoneMatch, string etag)
    {
        if (ifNoneMatch.Count == 0 || !EntityTagHeaderValue.TryParseList(ifNoneMatch, out IList<EntityTagHeaderValue>? tags))
        {
            return false;
        }

        var current = EntityTagHeaderValue.Parse(etag);
        return tags.Any(tag => tag.Equals(EntityTagHeaderValue.Any) || tag.Compare(current, useStrongComparison: false));
    }

    private sealed class Found(Bundle bundle) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            HttpResponse response = httpContext.Response;
            response.ContentType = "application/json";
            response.ContentLength = BundleJson.EncodedLength(bundle);
            // The server flushes it with the end of the answer, which is cheaper than to flush here.
            BundleJson.Write(bundle, response.BodyWriter);
            return Task.CompletedTask;
        }
    }
}
