namespace RegistryFunctions.Benchmarks;

/// <summary>
/// The most requests a second that the registry answers, against something that takes turns with it. What disturbs the
/// machine disturbs both, so that the ratio holds where the throughputs do not.
/// </summary>
internal static class Throughput
{
    public static async Task<Round> RegisterAsync(Bench bench)
    {
        Requests publishes = Requests.PublishesFor(bench.Seconds, mayRepeat: true);
        var limit = new Side("Register, limit: parse and verify alone", await bench.LimitAsync("parse-and-verify"), publishes);
        return Compare(bench, await RegisterAsync(bench, Database.Small), limit);
    }

    public static async Task<Round> RetrieveAsync(Bench bench)
    {
        Side registry = await RetrieveAsync(bench, Database.Small);
        var limit = new Side("Retrieve, limit: the same bytes", await bench.LimitAsync("same-bytes"), registry.Requests);
        return Compare(bench, registry, limit);
    }

    public static async Task<Round> RegisterAtSizeAsync(Bench bench) =>
        Compare(bench, await RegisterAsync(bench, Database.Large), await RegisterAsync(bench, Database.Small));

    public static async Task<Round> RetrieveAtSizeAsync(Bench bench) =>
        Compare(bench, await RetrieveAsync(bench, Database.Large), await RetrieveAsync(bench, Database.Small));

    private static async Task<Side> RetrieveAsync(Bench bench, int stored)
    {
        Database database = await Database.WithAsync(stored);
        return new Side($"Retrieve, {stored:N0} bundles", await bench.RegistryAsync(), database.Fetches, database.Copy());
    }

    // One copy and one series of publishes for all rounds: it grows a little, and sees no bundle twice.
    private static async Task<Side> RegisterAsync(Bench bench, int stored)
    {
        string db = (await Database.WithAsync(stored)).Copy();
        Requests publishes = Requests.PublishesFor(bench.Rounds * (Wrk.WarmUp + bench.Seconds));
        return new Side($"Register, {stored:N0} bundles", await bench.RegistryAsync(), publishes, db, stored);
    }

    private static Round Compare(Bench bench, Side subject, Side reference) => async () =>
    {
        Load load = await LoadAsync(bench, subject);
        Load against = await LoadAsync(bench, reference);
        if (double.Abs(load.Bytes / against.Bytes - 1) > 0.01)
        {
            throw new IOException($"Answers of {load.Bytes:N0} and {against.Bytes:N0} bytes are not alike, so can't be compared.");
        }

        var bar = new Bar(subject.Name, load.PerSecond, IsLimit: false);
        return new Finding(
            load.PerSecond / against.PerSecond,
            $"{load} against {against}",
            reference.Db is not null ? [bar] : [bar, new Bar(reference.Name, against.PerSecond, IsLimit: true)]);
    };

    private static async Task<Load> LoadAsync(Bench bench, Side side)
    {
        await using ServerProcess server = await ServerProcess.StartAsync(side.Server, side.Db);
        if (side.Db is not null)
        {
            // As one in use: until its first commit, SQLite asks the system for the size of the file at every fetch.
            await Starts.PublishAsync(server.Url);
        }

        await Wrk.RunAsync(server, side.Requests, Wrk.WarmUp);
        Load load = await Wrk.RunAsync(server, side.Requests, bench.Seconds);
        long missing = side.Stored is { } stored ? stored + side.Requests.Answered - await Database.CountAsync(side.Db!) : 0;
        return missing <= 0 ? load : throw new IOException($"{missing} publishes were answered but are not stored.");
    }

    // A registry has a database. One that takes publishes held so many bundles before them.
    private sealed record Side(string Name, string[] Server, Requests Requests, string? Db = null, long? Stored = null);
}
