using Microsoft.Extensions.Logging.Console;
using RegistryFunctions.Settings;
using RegistryFunctions.Storage.Postgres;

namespace RegistryFunctions.Hosting;

/// <summary>What is logged, and how: one line an event, on the console.</summary>
internal static partial class Logs
{
    // The framework's own information names every request with its path, and so the device id.
    private static readonly (string Category, LogLevel Least)[] Quiet =
    [
        ("Microsoft", LogLevel.Warning),
        // What clients do to their connections: anyone could fill the log with it.
        ("Microsoft.AspNetCore.Server.Kestrel", LogLevel.Critical),
        // When silent, it creates no trace activity per request; nothing here would read one.
        ("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None),
        // That an invocation has failed, which the host logs too: anyone could fill the log by leaving early.
        ("Microsoft.Azure.Functions.Worker.FunctionsApplication", LogLevel.None),
        // A start that fails is reported once, in one line.
        ("Microsoft.Extensions.Hosting", LogLevel.None),
    ];

    /// <summary>For a person or a service manager: errors go to standard error, all else to standard output.</summary>
    public static ILoggingBuilder AddConsoleForPeople(this ILoggingBuilder logging, IConfiguration configuration) =>
        logging.AddConsole(configuration, "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ", toStandardError: LogLevel.Error);

    /// <summary>
    /// For a Functions host, which adds the time itself. What it reads on standard output is information to it; on standard error
    /// it looks for "warn" and "fail" in the line, which is how warnings and errors begin.
    /// </summary>
    public static ILoggingBuilder AddConsoleForHost(this ILoggingBuilder logging, IConfiguration configuration) =>
        logging.AddConsole(configuration, timestampFormat: null, toStandardError: LogLevel.Warning);

    /// <summary>Logs what is served, once it is.</summary>
    public static void LogStart(this IHost host, Func<string> where)
    {
        ILogger logger = host.Services.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(Logs).FullName!);
        RegistryOptions options = host.Services.GetRequiredService<RegistryOptions>();
        string db = PostgresAddress.Of(options.Db, password: null)?.ToString() ?? Path.GetFullPath(options.Db);
        host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStarted.Register(() => LogStarted(
            logger, where(), db, options.MaxPerIdentity, options.RetentionDays));
    }

    private static ILoggingBuilder AddConsole(
        this ILoggingBuilder logging, IConfiguration configuration, string? timestampFormat, LogLevel toStandardError)
    {
        foreach ((string category, LogLevel least) in Quiet)
        {
            logging.AddFilter(category, least);
        }

        // After those: the last rule for a category counts.
        logging.AddConfiguration(configuration.GetSection("Logging"));
        logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.ColorBehavior = LoggerColorBehavior.Disabled;
            console.TimestampFormat = timestampFormat;
            console.UseUtcTimestamp = true;
        });
        logging.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = toStandardError);
        return logging;
    }

    [LoggerMessage(1, LogLevel.Information, "Serving on {Address}, database {Db}, keeping {MaxPerIdentity} bundles per device for {RetentionDays} days")]
    private static partial void LogStarted(
        ILogger logger, string address, string db, int maxPerIdentity, int retentionDays);
}
