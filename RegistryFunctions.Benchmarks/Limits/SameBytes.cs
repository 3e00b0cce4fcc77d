using System.Buffers;
using System.Buffers.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Benchmarks.Limits;

/// <summary>
/// The limit of Retrieve: the registry's Kestrel, as it is configured there, with nothing behind it but one answer
/// that looks like Retrieve's. No routing, no error boundary, no look-up, no encoding.
/// </summary>
internal sealed class SameBytes : IStartupFilter
{
    public const string Name = "same-bytes";

    private const int PayloadSize = 600;

    private readonly byte[] _body;
    private readonly string _etag;

    public SameBytes()
    {
        var bundle = new Bundle(new byte[PayloadSize], new Signature(new byte[Signature.Size]));
        var body = new ArrayBufferWriter<byte>();
        BundleJson.Write(bundle, body);
        _body = body.WrittenSpan.ToArray();
        _etag = $"\"{Base64Url.EncodeToString(bundle.Signature.Span)}\"";
    }

    public static void Configure(IServiceCollection services) => services
        .AddSingleton<IBundleStore, NoStore>()
        .AddSingleton<IStartupFilter, SameBytes>();

    /// <summary>Takes the place of the registry's whole pipeline.</summary>
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app => app.Run(AnswerAsync);

    private Task AnswerAsync(HttpContext context)
    {
        HttpResponse response = context.Response;
        response.Headers.ETag = _etag;
        response.Headers.CacheControl = "no-cache";
        response.ContentType = "application/json";
        response.ContentLength = _body.Length;
        response.BodyWriter.Write(_body);
        return Task.CompletedTask;
    }
}
