using System.Diagnostics;
using System.Globalization;
using Npgsql;
using RegistryFunctions.Storage.Postgres;

namespace RegistryFunctions.Benchmarks;

/// <summary>
/// Instances that share a PostgreSQL database, against pgbench, which sends the same statements, against each other, and against
/// one with its data in SQLite.
/// </summary>
/// <param name="url">An empty database, as a URL.</param>
internal sealed class Instances(string url)
{
    // As many as an instance's writers, and as many publishes as a batch has when 64 connections wait.
    private const int Writers = PostgresTuning.Writers;
    private const int Batch = Wrk.Connections / Writers;

    // So little that two instances do not reach what the server and the load generator leave of the processors.
    private const int PercentOfProcessor = 20;

    private const int LikelyMostPerSecond = 10_000;

    private const string Id = "sha256(int8send(:i{0}))";

    private bool _isFilled;
    private int _published;

    public Measure[] Measures =>
    [
        new("register", "Register, one instance against pgbench", "≥ 0.6", RegisterAsync),
        new("retrieve", "Retrieve at random, one instance against pgbench", "≥ 0.6", RetrieveAsync),
        new("register-sqlite", "Register, one instance against one with SQLite", "≥ 0", async bench =>
            CompareAsync(await PublishesAsync(bench, 1), await PublishesAsync(bench, 1, Database.Empty))),
        new("retrieve-sqlite", "Retrieve, one instance against one with SQLite", "≥ 0", async bench =>
        {
            string copy = (await Database.WithAsync(Database.Small)).Copy();
            return CompareAsync(await FetchesAsync(bench, 1), await FetchesAsync(bench, 1, () => copy));
        }),
        new("register-four", "Register, four instances against one", "≥ 0", async bench =>
            CompareAsync(await PublishesAsync(bench, 4), await PublishesAsync(bench, 1))),
        new("retrieve-four", "Retrieve, four instances against one", "≥ 0", async bench =>
            CompareAsync(await FetchesAsync(bench, 4), await FetchesAsync(bench, 1))),
        new("register-two", $"Register, two instances against one, each with {PercentOfProcessor} % of a processor", "≥ 1.6", async bench =>
            CompareAsync(await PublishesAsync(bench, 2, held: true), await PublishesAsync(bench, 1, held: true))),
        new("retrieve-two", $"Retrieve, two instances against one, each with {PercentOfProcessor} % of a processor", "≥ 1.6", async bench =>
            CompareAsync(await FetchesAsync(bench, 2, held: true), await FetchesAsync(bench, 1, held: true))),
    ];

    private async Task<Round> RegisterAsync(Bench bench)
    {
        string device = $$"""
            {{BundleSql.LockDevice}};
            {{BundleSql.Publish}};
            """
            .Replace("$1", Id, StringComparison.Ordinal)
            .Replace("$2", ":i{0}", StringComparison.Ordinal)
            .Replace("$3", "(extract(epoch FROM now()) * 1000)::bigint", StringComparison.Ordinal)
            .Replace("$4", "0", StringComparison.Ordinal)
            .Replace("$5", "sha512(int8send(:i{0}))", StringComparison.Ordinal)
            .Replace("$6", "decode(left(repeat(md5(int8send(:i{0})), 38), 1200), 'hex')", StringComparison.Ordinal)
            .Replace("$7", "5", StringComparison.Ordinal)
            .Replace("$8", "true", StringComparison.Ordinal)
            .Replace("$9", "true", StringComparison.Ordinal);
        IEnumerable<int> batch = Enumerable.Range(0, Batch);
        string script = $"""
            {string.Join('\n', batch.Select(i => $"\\set i{i} random(1, 9000000000000000)"))}
            \startpipeline
            {BundleSql.Begin};
            {string.Join('\n', batch.Select(i => device.Replace("{0}", $"{i}", StringComparison.Ordinal)))}
            {BundleSql.AllowForKept.Replace("$1", "5", StringComparison.Ordinal)};
            {BundleSql.Commit};
            \endpipeline
            """;
        Side limit = new("Register, limit: pgbench", () => PgbenchAsync(bench, script, Writers, Batch), IsLimit: true);
        return CompareAsync(await PublishesAsync(bench, 1), limit);
    }

    private async Task<Round> RetrieveAsync(Bench bench)
    {
        Side registry = await FetchesAsync(bench, 1);
        await using NpgsqlDataSource database = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder
        {
            Host = new Uri(url).Host,
            Port = new Uri(url).Port,
            Username = new Uri(url).UserInfo,
            Database = new Uri(url).AbsolutePath[1..],
        }.ConnectionString);
        await using NpgsqlCommand fill = database.CreateCommand(
            $"""
            INSERT INTO bundle (device, seq, received, digest, checksum, signature, payload)
            SELECT sha256(int8send(i)), 1, 0, 0, 0, sha512(int8send(i)), decode(left(repeat(md5(int8send(i)), 38), 1200), 'hex')
            FROM generate_series(1, {Database.Small}) AS i ON CONFLICT DO NOTHING
            """);
        await fill.ExecuteNonQueryAsync();
        string script = $"""
            \set i random(1, {Database.Small})
            {BundleSql.FindNewest.Replace("$1", Id.Replace("{0}", "", StringComparison.Ordinal), StringComparison.Ordinal)};
            """;
        return CompareAsync(registry, new("Retrieve, limit: pgbench", () => PgbenchAsync(bench, script, 16, 1), IsLimit: true));
    }

    private static Round CompareAsync(Side subject, Side reference) => async () =>
    {
        double rate = await subject.MeasureAsync();
        double against = await reference.MeasureAsync();
        return new Finding(
            rate / against,
            $"{rate:N0} against {against:N0} /s",
            new Bar(subject.Name, rate, subject.IsLimit),
            new Bar(reference.Name, against, reference.IsLimit));
    };

    private async Task<Side> PublishesAsync(Bench bench, int instances, Func<string>? file = null, bool held = false)
    {
        string[] registry = await FilledAsync(bench);
        int most = LikelyMostPerSecond * (Wrk.WarmUp + bench.Seconds);
        // Seven sides publish, each in every round what the database has not seen.
        Requests publishes = Requests.PublishesFor(7 * bench.Rounds * most / Requests.LikelyMostPerSecond, mayRepeat: true);
        return new(NameOf("Register", instances, file, held), () =>
        {
            Requests[] parts = [.. Enumerable.Range(0, instances).Select(i => publishes.From(_published + (i * most / instances)))];
            _published += most;
            return LoadAsync(bench, registry, parts, file?.Invoke() ?? url, held);
        });
    }

    private async Task<Side> FetchesAsync(Bench bench, int instances, Func<string>? file = null, bool held = false)
    {
        string[] registry = await FilledAsync(bench);
        Requests fetches = (await Database.WithAsync(Database.Small)).Fetches;
        return new(NameOf("Retrieve", instances, file, held), () =>
        {
            Requests[] parts = [.. Enumerable.Range(0, instances).Select(i => fetches.From(i * fetches.Count / instances))];
            return LoadAsync(bench, registry, parts, file?.Invoke() ?? url, held);
        });
    }

    private static string NameOf(string function, int instances, Func<string>? file, bool held) =>
        $"{function}, {(file is not null ? "SQLite" : $"{instances} instance{(instances > 1 ? "s" : "")}{(held ? ", held" : "")}")}";

    // The devices that are fetched, copied there once.
    private async Task<string[]> FilledAsync(Bench bench)
    {
        string[] registry = await bench.RegistryAsync();
        if (!_isFilled)
        {
            await RunAsync(registry[0], "copy", "--from", (await Database.WithAsync(Database.Small)).Path, "--to", url);
            _isFilled = true;
        }

        return registry;
    }

    private static async Task<double> LoadAsync(Bench bench, string[] registry, Requests[] parts, string db, bool held)
    {
        ServerProcess[] servers = await Task.WhenAll(parts.Select(_ => ServerProcess.StartAsync(registry, db)));
        for (int i = 0; held && i < servers.Length; i++)
        {
            servers[i].Hold(PercentOfProcessor);
        }

        await RunAsync(Wrk.WarmUp);
        double rate = await RunAsync(bench.Seconds);
        foreach (ServerProcess server in servers)
        {
            await server.DisposeAsync();
        }

        return rate;

        async Task<double> RunAsync(int seconds) => (await Task.WhenAll(servers.Select(
            (server, i) => Wrk.RunAsync(server, parts[i], seconds, Wrk.Connections / servers.Length)))).Sum(load => load.PerSecond);
    }

    private async Task<double> PgbenchAsync(Bench bench, string script, int clients, int batch)
    {
        string file = Path.Combine(Requests.Folder, "pgbench.sql");
        await File.WriteAllTextAsync(file, script);
        string output = await RunAsync(
            "pgbench", "-n", "-M", "prepared", "-c", $"{clients}", "-j", "1", "-T", $"{bench.Seconds}", "-f", file, url);
        string tps = output.Split("tps = ")[1].Split(' ')[0];
        return batch * double.Parse(tps, CultureInfo.InvariantCulture);
    }

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? output : throw new IOException($"{program} has failed: {output}");
    }

    private sealed record Side(string Name, Func<Task<double>> MeasureAsync, bool IsLimit = false);
}
