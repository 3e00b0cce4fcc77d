using System.Buffers.Text;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Functions;

/// <summary>GET and HEAD /v0/keypackage/{device_id}: the device's newest bundle, byte for byte as it was signed.</summary>
public sealed class Retrieve(IBundleStore store)
{
    /// <summary>The route of the function.</summary>
    public const string Route = "v0/keypackage/{device_id}";

    /// <summary>Answers one request.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        Bundle? bundle = DeviceId.TryParse(context.Request.RouteValues["device_id"] as string, out DeviceId device)
            ? await store.FindNewestAsync(device, context.RequestAborted)
            : null;
        if (bundle is null)
        {
            await Problem.WriteAsync(
                context, StatusCodes.Status404NotFound, "device_id: no bundle is registered under it");
            return;
        }

        HttpResponse response = context.Response;
        string etag = EntityTag(bundle);
        response.Headers.ETag = etag;
        response.Headers.CacheControl = "no-cache";
        if (Names(context.Request.Headers.IfNoneMatch, etag))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        response.ContentType = "application/json";
        response.ContentLength = BundleJson.EncodedLength(bundle);
        // The server flushes it with the end of the answer, which is cheaper than to flush here.
        BundleJson.Write(bundle, response.BodyWriter);
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
}
