using Microsoft.Extensions.DependencyInjection;
using RegistryFunctions.Storage;

namespace RegistryFunctions.Benchmarks.Limits;

/// <summary>The limit of Register: the registry as it is, over a store that stores nothing.</summary>
internal static class ParseAndVerify
{
    public const string Name = "parse-and-verify";

    public static void Configure(IServiceCollection services) => services.AddSingleton<IBundleStore, NoStore>();
}
