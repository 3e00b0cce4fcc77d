using System.Buffers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using RegistryFunctions.Bundles;
using RegistryFunctions.Hosting;
using RegistryFunctions.Settings;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Benchmarks;

/// <summary>
/// The registry's own web server with something left out that a limit is free of, or with a prune that can be called.
/// Usage: <c>parse-and-verify|same-bytes|prune-on-demand</c>; settings by environment variables.
/// </summary>
internal static class LimitServer
{
    public static async Task Main(string[] args)
    {
        RegistryOptions options = SettingsReader.Read(new ConfigurationBuilder().AddEnvironmentVariables().Build());
        await using WebApplication app = StandAlone.Build(options, TimeProvider.System, builder => _ = args[0] switch
        {
            // The registry as it is, over a store that stores nothing.
            "parse-and-verify" => builder.Services.AddSingleton<IBundleStore, NoStore>(),
            "same-bytes" => builder.Services.AddSingleton<IBundleStore, NoStore>().AddSingleton<IStartupFilter, SameBytes>(),
            // The registry as it is, but for its timer.
            "prune-on-demand" => builder.Services.RemoveAll<IHostedService>(),
            _ => throw new ArgumentException($"There is no {args[0]}.", nameof(args)),
        });
        app.MapPost("/prune", async context =>
        {
            DateTimeOffset cutoff = DateTimeOffset.UtcNow - TimeSpan.FromDays(options.RetentionDays);
            int dropped = await app.Services.GetRequiredService<IBundleStore>().PruneAsync(cutoff, context.RequestAborted);
            await context.Response.WriteAsync($"{dropped}");
        });
        await app.RunAsync();
    }

    /// <summary>
    /// One answer that looks like Retrieve's takes the place of the registry's whole pipeline. No routing, no error
    /// boundary, no look-up, no encoding.
    /// </summary>
    private sealed class SameBytes : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next)
        {
            var body = new ArrayBufferWriter<byte>();
            BundleJson.Write(new Bundle(new byte[600], new Signature(new byte[Signature.Size])), body);
            string etag = $"\"{new string('A', 86)}\"";
            return app => app.Run(context =>
            {
                HttpResponse response = context.Response;
                response.Headers.ETag = etag;
                response.Headers.CacheControl = "no-cache";
                response.ContentType = "application/json";
                response.ContentLength = body.WrittenCount;
                response.BodyWriter.Write(body.WrittenSpan);
                return Task.CompletedTask;
            });
        }
    }

    private sealed class NoStore : IBundleStore
    {
        public ValueTask<PublishOutcome> PublishAsync(VerifiedBundle bundle, CancellationToken cancellationToken) =>
            ValueTask.FromResult(PublishOutcome.Stored);

        public ValueTask<Bundle?> FindNewestAsync(DeviceId device, CancellationToken cancellationToken) => default;

        public ValueTask<int> PruneAsync(DateTimeOffset cutoff, CancellationToken cancellationToken) => default;

        public ValueTask<(long Count, bool IsMost)> CountReceivedBeforeAsync(
            DateTimeOffset cutoff, CancellationToken cancellationToken) => default;

        public ValueTask ProbeAsync() => default;

        public ValueTask DisposeAsync() => default;
    }
}
