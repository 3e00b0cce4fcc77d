using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using RegistryFunctions.Hosting;
using RegistryFunctions.IsolatedWorker;
using RegistryFunctions.Storage;

return await Refusal.GuardAsync(async () =>
{
    FunctionsApplicationBuilder builder = FunctionsApplication.CreateBuilder(args);
    builder.ConfigureFunctionsWebApplication();
    // After the line above: only then does the boundary see the request before it is answered.
    builder.UseMiddleware<ErrorBoundaryMiddleware>();
    builder.Logging.AddRegistryFilters();
    builder.Services.AddRegistry(RegistryOptions.FromConfiguration(builder.Configuration), TimeProvider.System);
    // The function has the limit. A limit here would cut the connection before the client has read its 413.
    builder.Services.Configure<KestrelServerOptions>(kestrel => kestrel.Limits.MaxRequestBodySize = null);

    using IHost host = builder.Build();
    // Opened now, so that a database that can't be used stops the start.
    host.Services.GetRequiredService<IBundleStore>();
    await host.RunAsync();
    return 0;
});
