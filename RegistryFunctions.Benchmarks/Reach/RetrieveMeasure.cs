using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Benchmarks.Limits;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Benchmarks.Servers;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>Retrieve, uniform over all devices, against Kestrel answering the same bytes.</summary>
internal sealed class RetrieveMeasure : IMeasure
{
    private const double Reach = 0.85;

    public string Name => "retrieve";

    public async Task<Row> RunAsync(Bench bench)
    {
        Executable registry = await bench.Builds.RegistryAsync();
        Executable limits = await bench.Builds.LimitsAsync();
        SignedBundles stored = bench.Databases.Stored(Databases.Small);
        string db = await bench.Databases.WithAsync(Databases.Small);
        byte[] sameBody = await RefuseUnlikeAsync(registry, limits, stored, db);

        Alternation turns = await Alternation.RunAsync(
            this,
            bench.Rounds,
            async () =>
            {
                await using ServerProcess server = await ServerProcess.Registry(registry, db).ReadyAsync();
                return await bench.ThroughputAsync(server, new Fetches(stored));
            },
            async () =>
            {
                await using ServerProcess server = await ServerProcess.Limit(limits, SameBytes.Name).ReadyAsync();
                return await bench.ThroughputAsync(server, new Fetches(stored) { SameBody = sameBody });
            });
        return turns.ToRow("Retrieve over 20 thousand devices, against Kestrel answering the same bytes", Reach) with
        {
            Bars =
            [
                new ChartBar("Retrieve", "limit: the same bytes", turns.Reference.Median()) { IsLimit = true },
                new ChartBar("Retrieve", "registry", turns.Subject.Median()),
            ],
        };
    }

    // The limit is one only while its answers are as long as Retrieve's, header by header. Returns its body.
    private static async Task<byte[]> RefuseUnlikeAsync(
        Executable registry, Executable limits, SignedBundles stored, string db)
    {
        string path = $"v0/keypackage/{Convert.ToHexStringLower(stored.DeviceOf(0))}";
        await using ServerProcess server = await ServerProcess.Registry(registry, db).ReadyAsync();
        await using ServerProcess limit = await ServerProcess.Limit(limits, SameBytes.Name).ReadyAsync();
        using HttpResponseMessage answer = await server.Client.GetAsync(new Uri(path, UriKind.Relative));
        using HttpResponseMessage same = await limit.Client.GetAsync(new Uri(path, UriKind.Relative));
        return Shape(answer) == Shape(same)
            ? await same.Content.ReadAsByteArrayAsync()
            : throw new UnexpectedAnswerException(
                $"Retrieve's answer and the limit's differ, so can't be compared:\n{Shape(answer)}\n{Shape(same)}");
    }

    private static string Shape(HttpResponseMessage answer) => string.Join(
        ", ",
        answer.Headers.Concat(answer.Content.Headers)
            .Select(header => header.Key == "Content-Length"
                ? $"Content-Length: {header.Value.Single()}"
                : $"{header.Key} of {string.Join(", ", header.Value).Length}")
            .Order(StringComparer.Ordinal)
            .Prepend($"{(int)answer.StatusCode}"));
}
