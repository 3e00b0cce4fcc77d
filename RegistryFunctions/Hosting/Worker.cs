using System.Diagnostics.CodeAnalysis;
using Grpc.Core;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Azure.Functions.Worker.Builder;
using RegistryFunctions.Middleware;
using RegistryFunctions.Settings;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Hosting;

/// <summary>The registry as the isolated worker of a Functions host, which decides when a function runs.</summary>
internal static class Worker
{
    /// <summary>False in the native executable, which the worker's packages do not support: there the trimmer removes it.</summary>
    [FeatureSwitchDefinition("RegistryFunctions.Worker")]
    public static bool IsIncluded => !AppContext.TryGetSwitch("RegistryFunctions.Worker", out bool isOn) || isOn;

    /// <summary>Whether these are the arguments that a Functions host gives its worker.</summary>
    public static bool IsStartedByHost(string[] args) => args.Contains("--functions-uri");

    /// <summary>Serves until the host says stop. Returns the exit code.</summary>
    /// <exception cref="SettingException">A setting makes no sense.</exception>
    /// <exception cref="StoreOpenException">The database can't be opened.</exception>
    /// <exception cref="ServeException">The host is not there.</exception>
    public static async Task<int> RunAsync(string[] args)
    {
        using IHost host = Build(args, TimeProvider.System);
        try
        {
            await host.ServeAsync("its own port");
            return 0;
        }
        catch (RpcException e)
        {
            throw new ServeException($"can't reach the Functions host: {e.Status.Detail}");
        }
    }

    /// <summary>Puts the worker together. <paramref name="configure"/> has the last word on services and logging.</summary>
    public static IHost Build(string[] args, TimeProvider time, Action<IHostApplicationBuilder>? configure = null)
    {
        FunctionsApplicationBuilder builder = FunctionsApplication.CreateBuilder(args);
        builder.ConfigureFunctionsWebApplication();
        // After the line above: only then do they see the HTTP request.
        builder.UseMiddleware<ErrorBoundary>();
        builder.UseMiddleware<AddressLimit>();
        builder.Services.AddHostedService<HostWatch>();
        // Sooner than the 5 seconds after which the host kills it.
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(3));
        // Only AddressLimit decides who the client is. The worker would trust any X-Forwarded-For.
        builder.Services.PostConfigure<ForwardedHeadersOptions>(headers => headers.ForwardedHeaders = ForwardedHeaders.None);
        // Not the worker's own way, through the host: that drops what is logged outside of an invocation, such as by the
        // store's writer. The host logs what it reads on the console.
        builder.Logging.ClearProviders().AddConsoleForHost(builder.Configuration);
        PruneSchedule.Check(builder.Configuration);
        RegistryOptions options = SettingsReader.Read(builder.Configuration);
        DataFolder.RefuseProgramFolder(options.Db);
        builder.Services.AddRegistry(options, time);
        configure?.Invoke(builder);

        IHost host = builder.Build();
        // Opened now, so that a database that can't be used stops the start.
        host.Services.GetRequiredService<IBundleStore>();
        host.LogStart(() => "a Functions host");
        return host;
    }
}
