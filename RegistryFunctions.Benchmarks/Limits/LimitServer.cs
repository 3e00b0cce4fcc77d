using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
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

        IConfiguration settings = new ConfigurationBuilder()
            .AddInMemoryCollection([new($"{RegistryOptions.Section}:{nameof(RegistryOptions.Bind)}", $"127.0.0.1:{port}")])
            .Build();
        await using WebApplication app = RegistryApp.Build(
            RegistryOptions.FromConfiguration(settings),
            host: null,
            TimeProvider.System,
            builder => configure(builder.Services));
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
