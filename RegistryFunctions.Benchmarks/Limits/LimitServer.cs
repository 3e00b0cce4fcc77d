using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using RegistryFunctions.Hosting;

namespace RegistryFunctions.Benchmarks.Limits;

/// <summary>
/// What this stack could do at best: the registry's own web server with everything left out that a limit is free of.
/// Usage: <c>parse-and-verify|same-bytes port</c>.
/// </summary>
internal static class LimitServer
{
    public static async Task<int> Main(string[] args)
    {
        if (args is not [string limit, string port] || Limit(limit) is not { } configure)
        {
            await Console.Error.WriteLineAsync($"Usage: {ParseAndVerify.Name}|{SameBytes.Name} port");
            return 2;
        }

        var options = new RegistryOptions
        {
            Bind = IPEndPoint.Parse($"127.0.0.1:{port}"),
            Db = "none",
            MaxPerIdentity = 5,
            RetentionDays = 30,
            PruneIntervalSecs = 3_600,
            ReplayWindowDays = 90,
            MaxBodyBytes = 64 * 1024,
        };
        await using WebApplication app = RegistryApp.Build(
            options, host: null, TimeProvider.System, builder => configure(builder.Services));
        await app.RunAsync();
        return 0;
    }

    private static Action<IServiceCollection>? Limit(string name) => name switch
    {
        ParseAndVerify.Name => ParseAndVerify.Configure,
        SameBytes.Name => SameBytes.Configure,
        _ => null,
    };
}
