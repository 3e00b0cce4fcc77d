using RegistryFunctions.Bundles;
using RegistryFunctions.Functions;
using RegistryFunctions.RateLimits;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Sqlite;

namespace RegistryFunctions.Hosting;

/// <summary>The store and the functions, however they are hosted.</summary>
public static class RegistryServices
{
    /// <summary>Adds the functions and what they need.</summary>
    public static IServiceCollection AddRegistry(
        this IServiceCollection services, RegistryOptions options, TimeProvider time)
    {
        var addressLimit = RateLimit.OrNone<ClientNetwork>(options.MaxRequestsPerMinute, TimeSpan.FromMinutes(1));
        var deviceLimit = RateLimit.OrNone<DeviceId>(options.MaxPublishesPerHour, TimeSpan.FromHours(1));
        return services
            .AddSingleton<IBundleStore>(provider => SqliteBundleStore.Open(
                new SqliteStoreOptions(
                    options.Db,
                    options.MaxPerIdentity,
                    TimeSpan.FromDays(options.ReplayWindowDays),
                    options.MaxDbBytes,
                    options.VerifyOnRead,
                    deviceLimit is null ? null : deviceLimit.TryTake),
                time,
                provider.GetRequiredService<ILogger<SqliteBundleStore>>()))
            .AddSingleton(provider => new Register(
                provider.GetRequiredService<IBundleStore>(), options.MaxBodyBytes, deviceLimit))
            .AddSingleton(provider => new AddressLimit(
                addressLimit, options.TrustedProxies, provider.GetRequiredService<ILoggerFactory>()))
            .AddSingleton<ErrorBoundary>()
            .AddSingleton<Retrieve>()
            .AddSingleton(provider => new Health(provider.GetRequiredService<IBundleStore>(), time))
            .AddSingleton(provider => new Prune(
                provider.GetRequiredService<IBundleStore>(),
                TimeSpan.FromDays(options.RetentionDays),
                time,
                provider.GetRequiredService<ILogger<Prune>>()));
    }

    /// <summary>
    /// Keeps the framework's own information out of the log: it names every request with its path, and so the device id.
    /// </summary>
    public static ILoggingBuilder AddRegistryFilters(this ILoggingBuilder logging) => logging
        .AddFilter("Microsoft", LogLevel.Warning)
        // What clients do to their connections: anyone could fill the log with it.
        .AddFilter("Microsoft.AspNetCore.Server.Kestrel", LogLevel.Critical)
        // Silent, it makes no trace activity for every request, which nothing here would read.
        .AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
}
