using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Core.FunctionMetadata;
using Microsoft.Azure.Functions.Worker.Invocation;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RegistryFunctions.Functions;
using RegistryFunctions.Hosting;
using RegistryFunctions.Settings;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Tests.Support;

/// <summary>
/// The registry in the tests' process, so that the clock is in the test's hands, what it logs can be waited for, and parts can be
/// replaced.
/// </summary>
internal sealed class HostedRegistry : RegistryServer
{
    static HostedRegistry() => Environment.SetEnvironmentVariable("FUNCTIONS_APPLICATION_DIRECTORY", FunctionsHost.BuiltApp);

    private readonly Way _way;
    private readonly Action<IHostApplicationBuilder>? _with;
    private FunctionsHost? _functionsHost;
#pragma warning disable CA1859 // One of two kinds.
    private IHost _app = null!;
#pragma warning restore CA1859

    private HostedRegistry(Way way, (string Name, string Value)[] settings, Action<IHostApplicationBuilder>? with)
        : base(settings, onPostgres: way == Way.OnPostgres)
    {
        _way = way;
        _with = with;
    }

    public Clock Time { get; } = new();

    public LogCollector Logs { get; } = new();

    public IServiceProvider Services => _app.Services;

    public override Uri Url => _functionsHost?.Url ?? new Uri(((WebApplication)_app).Urls.Single());

    /// <param name="way">Which way clients reach it.</param>
    /// <param name="settings">By their names in RegistryOptions.</param>
    /// <param name="with">Has the last word on services and logging.</param>
    public static async Task<HostedRegistry> StartAsync(
        Way way, (string Name, string Value)[]? settings = null, Action<IHostApplicationBuilder>? with = null)
    {
        var registry = new HostedRegistry(way, settings ?? [], with);
        try
        {
            await registry.StartAsync();
            return registry;
        }
        catch (Exception e)
        {
            await registry.DisposeAsync();
            throw e is StoreOpenException or SettingException ? new StartRefusedException(e.Message) : e;
        }
    }

    public override async Task RestartAsync()
    {
        await EndAsync();
        await StartAsync();
    }

    public override async Task<IReadOnlyList<LogLine>> StopAsync()
    {
        await _app.StopAsync();
        return Logs.Lines;
    }

    /// <summary>Prunes as the timer does, and returns the line that says how much was dropped.</summary>
    public async Task<string> PruneAsync()
    {
        if (_functionsHost is not null)
        {
            InvocationOutcome outcome = await _functionsHost.FireTimerAsync(nameof(Prune));
            Assert.True(outcome.Succeeded, outcome.Exception);
        }
        else
        {
            await _app.Services.GetRequiredService<Prune>().RunAsync(new TimerInfo(), CancellationToken.None);
        }

        return Logs.Lines.Last(line => line.Id.Id == LogEvents.Pruned).Text;
    }

    protected override async Task EndAsync()
    {
        if (_app is not null)
        {
            await _app.StopAsync();
            await ((IAsyncDisposable)_app).DisposeAsync();
        }

        if (_functionsHost is not null)
        {
            await _functionsHost.DisposeAsync();
        }
    }

    private Task StartAsync() => _way == Way.Worker ? StartWorkerAsync() : StartAloneAsync();

    private async Task StartAloneAsync()
    {
        IConfiguration settings = new ConfigurationBuilder()
            .AddInMemoryCollection(SettingsForConfiguration())
            .Build();
        _app = StandAlone.Build(SettingsReader.Read(settings), Time, Configure);
        Logs.SkipToNow();
        await _app.StartAsync();
        await Logs.NextAsync(LogEvents.Prunes);
    }

    private async Task StartWorkerAsync()
    {
        _functionsHost = await FunctionsHost.ListenAsync(FunctionsHost.BuiltApp);
        // What a worker in a process of its own has from its arguments and its environment.
        IEnumerable<KeyValuePair<string, string?>> settings =
            [.. _functionsHost.WorkerConfiguration, .. SettingsForConfiguration(), new("PruneSchedule", "0 0 * * * *")];
        _app = Worker.Build(
            [.. _functionsHost.WorkerArguments, .. settings.Select(setting => $"--{setting.Key}={setting.Value}")], Time, Configure);
        await _app.StartAsync();
        IServerAddressesFeature listens = _app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>();
        _functionsHost.WorkerUri = new Uri(listens.Addresses.Single());
        await _functionsHost.WorkerReadyAsync();
        await _functionsHost.AnswersAsync();
    }

    private IEnumerable<KeyValuePair<string, string?>> SettingsForConfiguration() =>
        Settings.Select(setting => KeyValuePair.Create($"Registry:{setting.Key}", (string?)setting.Value));

    private void Configure(IHostApplicationBuilder builder)
    {
        if (_functionsHost is not null)
        {
            // Generated with the app. The worker looks for it in the assembly that a process starts with.
            builder.Services.AddSingleton<IFunctionMetadataProvider, GeneratedFunctionMetadataProvider>();
            builder.Services.AddSingleton<IFunctionExecutor, DirectFunctionExecutor>();
            // It takes one port for the life of a process; tests have many workers in one.
            builder.Services.Configure<KestrelServerOptions>(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        }

        builder.Logging.ClearProviders().AddProvider(Logs);
        _with?.Invoke(builder);
    }
}
