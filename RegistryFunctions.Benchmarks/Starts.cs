using System.Diagnostics;
using System.Text;

namespace RegistryFunctions.Benchmarks;

/// <summary>From the start of a process to its first durable bundle, compiled ahead against the JIT.</summary>
internal static class Starts
{
    public static async Task<Round> NativeAsync(Bench bench)
    {
        string[] native = await bench.RegistryAsync(), jit = await bench.JitRegistryAsync();
        return await CompareAsync(db => AloneMsAsync(native, db), db => AloneMsAsync(jit, db));
    }

    public static async Task<Round> WorkerAsync(Bench bench)
    {
        string ahead = await bench.WorkerAsync(ahead: true), jit = await bench.WorkerAsync(ahead: false);
        return await CompareAsync(db => WorkerMsAsync(ahead, db), db => WorkerMsAsync(jit, db));
    }

    public static async Task PublishAsync(Uri url)
    {
        using var body = new StringContent(new Device().Publication(Device.RandomPayload()), Encoding.UTF8, "application/json");
        using var http = new HttpClient();
        using HttpResponseMessage answer = await http.PostAsync(new Uri(url, "v0/keypackage"), body);
        answer.EnsureSuccessStatusCode();
    }

    private static async Task<Round> CompareAsync(Func<string, Task<double>> aheadAsync, Func<string, Task<double>> jitAsync)
    {
        string db = (await Database.WithAsync(Database.Small)).Copy();
        return async () =>
        {
            List<double> ahead = [], jit = [];
            while (jit.Count < 5)
            {
                ahead.Add(await aheadAsync(db));
                jit.Add(await jitAsync(db));
            }

            (double aheadMs, double jitMs) = (Measure.Median(ahead), Measure.Median(jit));
            return new Finding(aheadMs / jitMs, $"{aheadMs:N0} of {jitMs:N0} ms");
        };
    }

    private static async Task<double> AloneMsAsync(string[] registry, string db)
    {
        long start = Stopwatch.GetTimestamp();
        await using ServerProcess server = await ServerProcess.StartAsync(registry, db);
        await PublishAsync(server.Url);
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }

    private static async Task<double> WorkerMsAsync(string app, string db)
    {
        await using FunctionsHost host = await FunctionsHost.ListenAsync(app);
        var start = new ProcessStartInfo("dotnet", [Path.Combine(app, "RegistryFunctions.dll"), .. host.WorkerArguments])
        {
            WorkingDirectory = app,
            RedirectStandardOutput = true,
            Environment = { ["PruneSchedule"] = "0 0 * * * *", ["Registry__Db"] = db },
        };
        foreach ((string name, string value) in host.WorkerEnvironment)
        {
            start.Environment[name] = value;
        }

        long began = Stopwatch.GetTimestamp();
        using Process worker = Process.Start(start)!;
        // The host is there already, and lets it wait until the worker is.
        await PublishAsync(host.Url);
        double ms = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        host.TerminateWorker();
        await worker.WaitForExitAsync();
        return ms;
    }
}
