using System.Net;
using System.Reflection;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Azure.Functions.Worker;
using RegistryFunctions.Functions;
using RegistryFunctions.Middleware;
using RegistryFunctions.Settings;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Hosting;

/// <summary>The registry by itself: Kestrel serves the functions, and a timer in the process prunes.</summary>
internal static class StandAlone
{
    private const int Backlog = 4_096;

    /// <summary>Serves until a signal says stop. Returns the exit code.</summary>
    /// <exception cref="StoreOpenException">The database can't be opened.</exception>
    /// <exception cref="ServeException">The address can't be listened on.</exception>
    public static async Task<int> RunAsync(RegistryOptions options)
    {
        await using WebApplication app = Build(options, TimeProvider.System);
        await app.ServeAsync(options.Bind);
        return 0;
    }

    /// <summary>Puts the server together. <paramref name="configure"/> has the last word on services and logging.</summary>
    /// <exception cref="StoreOpenException">The database can't be opened.</exception>
    public static WebApplication Build(
        RegistryOptions options, TimeProvider time, Action<IHostApplicationBuilder>? configure = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new());
        builder.Configuration.AddEnvironmentVariables();
        builder.Logging.AddConsoleForPeople(builder.Configuration);
        builder.AddKestrel(options);
        builder.Services
            .AddRegistry(options, time)
            .AddSingleton<Register>()
            .AddSingleton<Retrieve>()
            .AddSingleton<Health>()
            .AddSingleton<Prune>()
            .AddHostedService<PruneTimer>();
        configure?.Invoke(builder);

        WebApplication app = builder.Build();
        // Opened now, so that a database that can't be used stops the start.
        app.Services.GetRequiredService<IBundleStore>();
        ErrorBoundary boundary = app.Services.GetRequiredService<ErrorBoundary>();
        AddressLimit limit = app.Services.GetRequiredService<AddressLimit>();
        app.Use(next => context => boundary.InvokeAsync(context, next));
        app.Use(next => context => limit.InvokeAsync(context, next));
        app.Map(app.Services.GetRequiredService<Register>().RunAsync);
        app.Map(app.Services.GetRequiredService<Retrieve>().RunAsync);
        app.Map(app.Services.GetRequiredService<Health>().RunAsync);
        app.LogStart(() => string.Join(", ", app.Urls));
        return app;
    }

    // Route and methods are those that the function's trigger gives to a Functions host.
    private static void Map(this WebApplication app, Func<HttpRequest, Task<IResult>> function)
    {
        HttpTriggerAttribute trigger = function.Method.GetParameters().Single().GetCustomAttribute<HttpTriggerAttribute>()!;
        app.MapMethods(trigger.Route!, trigger.Methods!, Answer)
            .WithMetadata(function.Method.GetCustomAttribute<FunctionAttribute>()!);

        async Task Answer(HttpContext context)
        {
            IResult answer = await function(context.Request);
            await answer.ExecuteAsync(context);
        }
    }

    private static void AddKestrel(this WebApplicationBuilder builder, RegistryOptions options)
    {
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxConcurrentConnections = options.MaxConnections;
            // Set, though some are the defaults: slow clients are an attack, and these are what stands against it.
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
            kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
            kestrel.Limits.MinResponseDataRate = new MinDataRate(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
            // Longer than the minute or two for which proxies keep theirs: they must be first to close.
            kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(130);
            kestrel.Limits.MaxRequestHeaderCount = 100;
            kestrel.Limits.MaxRequestHeadersTotalSize = 32 * 1024;
            // What a connection may send ahead of being read; times the connections, it is what a flood takes.
            kestrel.Limits.MaxRequestBufferSize = 64 * 1024;
            kestrel.Listen(IPEndPoint.Parse(options.Bind));
        });
        // Connections that come at once wait here to be taken; the system's net.core.somaxconn may allow fewer.
        builder.Services.Configure<SocketTransportOptions>(sockets => sockets.Backlog = Backlog);
    }
}
