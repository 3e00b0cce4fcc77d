using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using RegistryFunctions.Benchmarks.Data;
using RegistryFunctions.Benchmarks.Load;
using RegistryFunctions.Benchmarks.Servers;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>From the start of a process to its first durable bundle, native against the JIT.</summary>
internal sealed class StartMeasure : IMeasure
{
    private const double Reach = 0.20;
    private const int Starts = 10;

    public string Name => "start";

    public async Task<Row> RunAsync(Bench bench)
    {
        Executable native = await bench.Builds.RegistryAsync();
        Executable jit = await bench.Builds.JitRegistryAsync();
        string db = bench.Databases.CopyOf(await bench.Databases.WithAsync(Databases.Small));
        var publications = new Publications(bench.Databases.Fresh(2 * (Starts + 1)));

        // Once each without counting, so that the programs are in the page cache.
        await FirstPublicationMsAsync(native, db, publications);
        await FirstPublicationMsAsync(jit, db, publications);
        List<double> nativeMs = [], jitMs = [];
        for (int i = 0; i < Starts; i++)
        {
            nativeMs.Add(await FirstPublicationMsAsync(native, db, publications));
            jitMs.Add(await FirstPublicationMsAsync(jit, db, publications));
            Bench.Log(this, $"start {i + 1}: {nativeMs[^1]:N0} ms native, {jitMs[^1]:N0} ms JIT");
        }

        Databases.Delete(db);
        double[] ratios = [.. nativeMs.Zip(jitMs, (native, jit) => native / jit)];
        return new Row(
            "Start of the native executable to its first 204, against the JIT build",
            $"≤ {Reach:N2}",
            $"{ratios.Median():N2} ({nativeMs.Median():N0} ms of {jitMs.Median():N0} ms)",
            $"{ratios.Min():N2}–{ratios.Max():N2}",
            ratios.Median() <= Reach);
    }

    private static async Task<double> FirstPublicationMsAsync(Executable executable, string db, Publications publications)
    {
        byte[] buffer = new byte[4 * 1024];
        Request request = publications.WriteNext(buffer);
        long start = Stopwatch.GetTimestamp();
        await using var server = ServerProcess.Registry(executable, db);
        using Socket socket = await ConnectAsync(server);
        await socket.SendAsync(buffer.AsMemory(0, request.Length));
        int received = await socket.ReceiveAsync(buffer);
        double ms = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        return Answer.TryRead(buffer.AsSpan(0, received), out Answer answer) && publications.IsExpected(request, answer)
            ? ms
            : throw new UnexpectedAnswerException("The first publication after a start was not answered 204.");
    }

    private static async Task<Socket> ConnectAsync(ServerProcess server)
    {
        while (true)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, server.Port);
                return socket;
            }
            catch (SocketException) when (!server.HasExited)
            {
                socket.Dispose();
                // Not busily: the server needs the processors.
                await Task.Delay(1);
            }
        }
    }
}
