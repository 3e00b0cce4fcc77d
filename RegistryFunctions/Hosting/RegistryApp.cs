using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Console;
using RegistryFunctions.Functions;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Hosting;

/// <summary>Puts the registry together.</summary>
public static partial class RegistryApp
{
    private const int Backlog = 4_096;

    /// <summary>
    /// Builds the server: stand-alone where <paramref name="host"/> is null, else as that host's custom handler.
    /// <paramref name="configure"/> has the last word on services and logging.
    /// </summary>
    /// <exception cref="StoreOpenException">The database can't be opened.</exception>
    public static WebApplication Build(
        RegistryOptions options, FunctionsHost? host, TimeProvider time, Action<WebApplicationBuilder>? configure = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new());
        builder.Configuration.AddEnvironmentVariables();
        builder.AddLogs();
        builder.AddKestrel(options, host);
        builder.Services.AddRegistry(options, time);
        if (host is null)
        {
            builder.Services.AddPruneTimer(options, time);
        }
        else
        {
            builder.Services.AddHostWatch(host, time);
        }

        configure?.Invoke(builder);
        WebApplication app = builder.Build();
        // Opened now, so that a database that can't be used stops the start.
        app.Services.GetRequiredService<IBundleStore>();
        ErrorBoundary boundary = app.Services.GetRequiredService<ErrorBoundary>();
        app.Use(next => context => boundary.InvokeAsync(context, next));
        app.MapFunctions(host);
        app.LogStart(options);
        return app;
    }

    /// <summary>Starts to serve.</summary>
    /// <exception cref="SettingException">The address can't be served on.</exception>
    public static async Task StartOrRefuseAsync(this WebApplication app, RegistryOptions options, FunctionsHost? host)
    {
        try
        {
            await app.StartAsync();
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw new SettingException($"can't serve on {AddressOf(options, host)}: {(e.InnerException ?? e).Message}");
        }
    }

    private static IPEndPoint AddressOf(RegistryOptions options, FunctionsHost? host) =>
        host is null ? options.Bind : new IPEndPoint(IPAddress.Loopback, host.Port);

    private static void AddLogs(this WebApplicationBuilder builder)
    {
        builder.Logging
            .AddRegistryFilters()
            // A start that fails is reported as one line, not thrice.
            .AddFilter("Microsoft.Extensions.Hosting", LogLevel.None)
            .AddConfiguration(builder.Configuration.GetSection("Logging"))
            .AddSimpleConsole(console =>
            {
                console.SingleLine = true;
                console.ColorBehavior = LoggerColorBehavior.Disabled;
                console.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
                console.UseUtcTimestamp = true;
            });
        // The Functions host logs what it reads on standard error as errors, on standard output as information.
        builder.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Error);
    }

    private static void AddKestrel(this WebApplicationBuilder builder, RegistryOptions options, FunctionsHost? host)
    {
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // The function has the limit. A limit here would cut the connection before the client has read its 413.
            kestrel.Limits.MaxRequestBodySize = null;
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
            kestrel.Listen(AddressOf(options, host));
        });
        // Connections that come at once wait here to be taken; the system's net.core.somaxconn may allow fewer.
        builder.Services.Configure<SocketTransportOptions>(sockets => sockets.Backlog = Backlog);
    }

    private static void AddPruneTimer(this IServiceCollection services, RegistryOptions options, TimeProvider time) =>
        services.AddHostedService(provider => new PruneTimer(
            provider.GetRequiredService<Prune>(),
            TimeSpan.FromSeconds(options.PruneIntervalSecs),
            time,
            provider.GetRequiredService<IHostApplicationLifetime>(),
            provider.GetRequiredService<ILogger<PruneTimer>>()));

    private static void AddHostWatch(this IServiceCollection services, FunctionsHost host, TimeProvider time) =>
        services.AddHostedService(provider => new HostWatch(
            host.Process,
            time,
            provider.GetRequiredService<IHostApplicationLifetime>(),
            provider.GetRequiredService<ILogger<HostWatch>>()));

    private static void MapFunctions(this WebApplication app, FunctionsHost? host)
    {
        AddressLimit limit = app.Services.GetRequiredService<AddressLimit>();
        app.MapPost(Register.Route, limit.Around(app.Services.GetRequiredService<Register>().InvokeAsync));
        app.MapMethods(
            Retrieve.Route,
            [HttpMethods.Get, HttpMethods.Head],
            limit.Around(app.Services.GetRequiredService<Retrieve>().InvokeAsync));
        app.MapMethods(
            Health.Route, [HttpMethods.Get, HttpMethods.Head], app.Services.GetRequiredService<Health>().InvokeAsync);
        if (host is not null)
        {
            // Only the host can reach this: it listens for the world, the handler on loopback alone.
            app.MapPost(nameof(Prune), app.Services.GetRequiredService<Prune>().InvokeAsync);
        }
    }

    private static void LogStart(this WebApplication app, RegistryOptions options)
    {
        ILogger logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(RegistryApp).FullName!);
        app.Lifetime.ApplicationStarted.Register(() => LogStarted(
            logger,
            string.Join(", ", app.Urls),
            Path.GetFullPath(options.Db),
            options.MaxPerIdentity,
            options.RetentionDays));
    }

    [LoggerMessage(1, LogLevel.Information, "Serving on {Address}, database {Db}, keeping {MaxPerIdentity} bundles per device for {RetentionDays} days")]
    private static partial void LogStarted(
        ILogger logger, string address, string db, int maxPerIdentity, int retentionDays);
}
