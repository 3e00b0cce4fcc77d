using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using RegistryFunctions.Hosting;
using RegistryFunctions.Settings;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Benchmarks.Limits;

/// <summary>The registry as it is, but for its timer: a prune happens when <c>POST /prune</c> asks for it, and is answered with
/// the number of bundles it dropped.</summary>
internal sealed class PruneOnDemand(IBundleStore store, RegistryOptions options, TimeProvider time) : IStartupFilter
{
    public const string Name = "prune-on-demand";

    public static void Configure(IServiceCollection services)
    {
        services.Remove(services.Single(service => service.ImplementationType == typeof(PruneTimer)));
        services.AddSingleton<IStartupFilter, PruneOnDemand>();
    }

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Map("/prune", prune => prune.Run(PruneAsync));
        next(app);
    };

    private async Task PruneAsync(HttpContext context)
    {
        DateTimeOffset cutoff = time.GetUtcNow() - TimeSpan.FromDays(options.RetentionDays);
        int dropped = await store.PruneAsync(cutoff, context.RequestAborted);
        await context.Response.WriteAsync(dropped.ToString(CultureInfo.InvariantCulture));
    }
}
