using System.Net;
using Microsoft.Extensions.Logging.Console;
using RegistryFunctions.Functions;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Sqlite;

namespace RegistryFunctions.Hosting;

/// <summary>Puts the registry together.</summary>
public static partial class RegistryApp
{
    /// <summary>
    /// Builds the server: stand-alone where <paramref name="host"/> is null, else as that host's custom handler.
    /// </summary>
    /// <exception cref="StoreOpenException">The database can't be opened.</exception>
    public static WebApplication Build(
        RegistryOptions options, FunctionsHost? host, TimeProvider time, Action<ILoggingBuilder>? logging = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new());
        builder.Configuration.AddEnvironmentVariables();
        builder.AddLogs(logging);
        builder.AddKestrel(options, host);
        builder.Services.AddSingleton(time);
        builder.Services.AddStore(options);
        builder.Services.AddFunctions(options);
        if (host is null)
        {
            builder.Services.AddPruneTimer(options);
        }

        WebApplication app = builder.Build();
        // Opened now, so that a database that can't be used stops the start.
        app.Services.GetRequiredService<IBundleStore>();
        app.UseProblems();
        app.MapFunctions(host);
        app.LogStart(options);
        return app;
    }

    private static void AddLogs(this WebApplicationBuilder builder, Action<ILoggingBuilder>? logging)
    {
        // The framework's own information (every request, every start) would drown the registry's.
        builder.Logging
            .AddFilter("Microsoft", LogLevel.Warning)
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
        logging?.Invoke(builder.Logging);
    }

    private static void AddKestrel(this WebApplicationBuilder builder, RegistryOptions options, FunctionsHost? host)
    {
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.MaxBodyBytes;
            kestrel.Listen(host is null ? options.Bind : new IPEndPoint(IPAddress.Loopback, host.Port));
        });
    }

    private static void AddStore(this IServiceCollection services, RegistryOptions options) =>
        services.AddSingleton<IBundleStore>(provider => SqliteBundleStore.Open(
            options.Db,
            options.MaxPerIdentity,
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<SqliteBundleStore>>()));

    private static void AddFunctions(this IServiceCollection services, RegistryOptions options) => services
        .AddSingleton(provider => new Register(provider.GetRequiredService<IBundleStore>(), options.MaxBodyBytes))
        .AddSingleton<Retrieve>()
        .AddSingleton(provider => new Prune(
            provider.GetRequiredService<IBundleStore>(),
            TimeSpan.FromDays(options.RetentionDays),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<Prune>>()));

    private static void AddPruneTimer(this IServiceCollection services, RegistryOptions options) =>
        services.AddHostedService(provider => new PruneTimer(
            provider.GetRequiredService<Prune>(),
            TimeSpan.FromSeconds(options.PruneIntervalSecs),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<IHostApplicationLifetime>(),
            provider.GetRequiredService<ILogger<PruneTimer>>()));

    private static void UseProblems(this WebApplication app)
    {
        ILogger logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(Problem).FullName!);
        app.Use(next => context => Problem.InvokeAsync(context, next, logger));
    }

    private static void MapFunctions(this WebApplication app, FunctionsHost? host)
    {
        app.MapPost(Register.Route, app.Services.GetRequiredService<Register>().InvokeAsync);
        app.MapMethods(
            Retrieve.Route, [HttpMethods.Get, HttpMethods.Head], app.Services.GetRequiredService<Retrieve>().InvokeAsync);
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
