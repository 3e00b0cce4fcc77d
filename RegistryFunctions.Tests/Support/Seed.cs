using System.Globalization;

namespace RegistryFunctions.Tests.Support;

/// <summary>What a random test starts from: printed, so that REGISTRY_TEST_SEED repeats the test.</summary>
internal static class Seed
{
    private const string Variable = "REGISTRY_TEST_SEED";

    public static int Of(ITestOutputHelper output)
    {
        int seed = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } given
            ? int.Parse(given, CultureInfo.InvariantCulture)
            : Random.Shared.Next();
        output.WriteLine($"{Variable}={seed}");
        return seed;
    }
}
