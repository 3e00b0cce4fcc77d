using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using RegistryFunctions.Hosting;
using RegistryFunctions.Settings;

namespace RegistryFunctions.Benchmarks.Limits;

/// <summary>
/// The registry's own web server with something left out that a limit is free of, or with a prune that can be called.
/// Usage: <c>parse-and-verify|same-bytes|prune-on-demand port</c>; settings by environment variables.
/// </summary>
internal static class LimitServer
{
    public static async Task<int> Main(string[] args)
    {
        if (args is not [string limit, string port] || Limit(limit) is not { } configure)
        {
            await Console.Error.WriteLineAsync($"Usage: {ParseAndVerify.Name}|{SameBytes.Name}|{PruneOnDemand.Name} port");
            return 2;
        }

        RegistryOptions options = SettingsReader.Read(new ConfigurationBuilder().AddEnvironmentVariables().Build());
        options.Bind = $"127.0.0.1:{port}";
        await using WebApplication app = StandAlone.Build(options, TimeProvider.System, builder => configure(builder.Services));
        await app.RunAsync();
        return 0;
    }

    private static Action<IServiceCollection>? Limit(string name) => name switch
    {
        ParseAndVerify.Name => ParseAndVerify.Configure,
        SameBytes.Name => SameBytes.Configure,
        PruneOnDemand.Name => PruneOnDemand.Configure,
        _ => null,
    };
}
