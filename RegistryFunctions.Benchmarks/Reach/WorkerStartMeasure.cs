using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>From the start of a worker to its first durable bundle, compiled ahead against the JIT. A host is there already.</summary>
internal sealed class WorkerStartMeasure : IMeasure
{
    private const int Starts = 10;

    public string Name => "worker-start";

    public async Task<Row> RunAsync(Bench bench)
    {
        string ahead = await bench.Builds.WorkerAsync();
        string jit = await bench.Builds.JitWorkerAsync();
        string db = bench.Databases.CopyOf(await bench.Databases.WithAsync(Databases.Small));
        var publications = new Publications(bench.Databases.Fresh(2 * (Starts + 1)));

        // Once each without counting, so that the programs are in the page cache.
        await FirstPublicationMsAsync(ahead, db, publications);
        await FirstPublicationMsAsync(jit, db, publications);
        List<double> aheadMs = [], jitMs = [];
        for (int i = 0; i < Starts; i++)
        {
            aheadMs.Add(await FirstPublicationMsAsync(ahead, db, publications));
            jitMs.Add(await FirstPublicationMsAsync(jit, db, publications));
            Bench.Log(this, $"start {i + 1}: {aheadMs[^1]:N0} ms ready-to-run, {jitMs[^1]:N0} ms JIT");
        }

        Databases.Delete(db);
        double[] ratios = [.. aheadMs.Zip(jitMs, (ahead, jit) => ahead / jit)];
        return new Row(
            "Start of the worker to its first 204, ready-to-run against JIT",
            "< 1",
            $"{ratios.Median():N2} ({aheadMs.Median():N0} ms of {jitMs.Median():N0} ms)",
            $"{ratios.Min():N2}–{ratios.Max():N2}",
            ratios.Median() < 1);
    }

    private static async Task<double> FirstPublicationMsAsync(string app, string db, Publications publications)
    {
        byte[] buffer = new byte[4 * 1024];
        Request request = publications.WriteNext(buffer);
        await using FunctionsHost host = await FunctionsHost.ListenAsync(app);
        var start = new ProcessStartInfo("dotnet", [Path.Combine(app, "RegistryFunctions.dll"), .. host.WorkerArguments])
        {
            WorkingDirectory = app,
            RedirectStandardOutput = true,
        };
        foreach ((string name, string value) in host.WorkerEnvironment)
        {
            start.Environment[name] = value;
        }

        start.Environment["PruneSchedule"] = "0 0 * * * *";
        start.Environment["Registry__Db"] = db;
        long began = Stopwatch.GetTimestamp();
        using Process worker = Process.Start(start)!;
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        // The host lets it wait until the worker is there.
        await client.ConnectAsync(IPAddress.Loopback, host.Url.Port);
        await client.SendAsync(buffer.AsMemory(0, request.Length));
        int received = await client.ReceiveAsync(buffer);
        double ms = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        host.TerminateWorker();
        await worker.WaitForExitAsync();
        return Answer.TryRead(buffer.AsSpan(0, received), out Answer answer) && publications.IsExpected(request, answer)
            ? ms
            : throw new UnexpectedAnswerException("The first publication after a worker's start was not answered 204.");
    }
}
