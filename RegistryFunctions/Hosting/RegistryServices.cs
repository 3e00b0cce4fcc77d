using Microsoft.AspNetCore.Server.Kestrel.Core;
using RegistryFunctions.Bundles;
using RegistryFunctions.Functions;
using RegistryFunctions.Middleware;
using RegistryFunctions.RateLimits;
using RegistryFunctions.Settings;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Postgres;
using RegistryFunctions.Storage.Sqlite;

namespace RegistryFunctions.Hosting;

/// <summary>What the functions and the middleware need, however they are hosted.</summary>
internal static class RegistryServices
{
    /// <summary>Adds the store, the limits and what functions share between requests.</summary>
    public static IServiceCollection AddRegistry(this IServiceCollection services, RegistryOptions options, TimeProvider time) =>
        services
            .AddSingleton(options)
            .AddSingleton(time)
            .AddSingleton(new RateLimit<ClientNetwork>(options.MaxRequestsPerMinute, TimeSpan.FromMinutes(1)))
            .AddSingleton(new RateLimit<DeviceId>(options.MaxPublishesPerHour, TimeSpan.FromHours(1)))
            .AddSingleton<IBundleStore>(OpenStore)
            .Configure<KestrelServerOptions>(kestrel =>
            {
                kestrel.AddServerHeader = false;
                // Register has the limit. A limit here would cut the connection before the client has read its 413.
                kestrel.Limits.MaxRequestBodySize = null;
            })
            .AddSingleton<ErrorBoundary>()
            .AddSingleton<AddressLimit>()
            .AddSingleton<StoreProbe>()
            .AddSingleton<ClockWatch>();

    private static IBundleStore OpenStore(IServiceProvider services)
    {
        RegistryOptions options = services.GetRequiredService<RegistryOptions>();
        TimeProvider time = services.GetRequiredService<TimeProvider>();
        var store = new StoreOptions(
            options.MaxPerIdentity,
            TimeSpan.FromDays(options.ReplayWindowDays),
            options.VerifyOnRead,
            services.GetRequiredService<RateLimit<DeviceId>>());
        Func<CancellationToken, ValueTask<string>>? token = options.DbIdentity.Length > 0 ? EntraId.TokensOf(options.DbIdentity) : null;
        if (PostgresAddress.Of(options.Db, options.DbPassword, token) is { } address)
        {
            var postgres = new PostgresStoreOptions(
                address,
                store,
                options.AutoMigrate,
                options.AllowLossyCommits,
                options.DbTransactionPerDevice,
                PostgresAddress.Of(options.DbRead, options.DbPassword, token),
                TimeSpan.FromSeconds(options.MaxReplicaLagSecs));
            ILogger<PostgresBundleStore> logger = services.GetRequiredService<ILogger<PostgresBundleStore>>();
            // Services are made without waiting for anything; this is once, at the start.
            return Task.Run(() => PostgresBundleStore.OpenAsync(postgres, time, logger)).GetAwaiter().GetResult();
        }

        return SqliteBundleStore.Open(
            new SqliteStoreOptions(options.Db, store, options.MaxDbBytes, options.AllowNetworkFs),
            time,
            services.GetRequiredService<ILogger<SqliteBundleStore>>());
    }
}
