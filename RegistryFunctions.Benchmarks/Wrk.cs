using System.Diagnostics;

namespace RegistryFunctions.Benchmarks;

/// <summary>The load generator, with one thread: it shares the processors with the server.</summary>
internal static class Wrk
{
    public const int Connections = 64;

    /// <summary>For how many seconds a server is loaded before it is measured.</summary>
    public const int WarmUp = 1;

    public static bool IsInstalled => Environment.GetEnvironmentVariable("PATH")!.Split(Path.PathSeparator)
        .Any(folder => File.Exists(Path.Combine(folder, "wrk")));

    /// <summary>
    /// Loads a server for so many seconds, or until <paramref name="stop"/>. A connection has one request at a time, and rests
    /// at random after an answer, for <paramref name="pauseMs"/> on average.
    /// </summary>
    /// <exception cref="IOException">A request was refused or had no answer: what was measured means nothing.</exception>
    public static async Task<Load> RunAsync(
        ServerProcess server, Requests requests, int seconds,
        int connections = Connections, double pauseMs = 0, CancellationToken stop = default)
    {
        TimeSpan before = server.ProcessorTime;
        string[] arguments =
        [
            "-t1", $"-c{connections}", $"-d{seconds}s", "-T10s",
            "-s", Repository.File("RegistryFunctions.Benchmarks", "requests.lua"), $"{server.Url}",
            "--", requests.Path, $"{requests.Size}", $"{requests.Next}", $"{pauseMs}",
        ];
        using Process wrk = Process.Start(new ProcessStartInfo("wrk", arguments) { RedirectStandardOutput = true })!;
        // On SIGINT it ends and prints what it has measured so far.
        await using CancellationTokenRegistration stopping = stop.Register(() => Shell.Signal("INT", wrk.Id));
        string output = await wrk.StandardOutput.ReadToEndAsync(CancellationToken.None);
        double[] numbers = [.. output.Split("measured ").Skip(1).SelectMany(line => line.Split(' ')).Select(double.Parse)];
        if (numbers is not [0, > 0 and double answers, double micros, double bytes, double median, double p99, double longest])
        {
            throw new IOException($"Requests were refused or had no answer:\n{output}");
        }

        // Lost is what was on its way at the end, and one that wrk reads only to look at it.
        requests.Sent((int)answers, lost: connections + 1);
        return new Load(
            1e6 * answers / micros, bytes / answers, (server.ProcessorTime - before) / answers, median / 1e3, p99 / 1e3, longest / 1e3);
    }
}

/// <summary>
/// What a load has measured: answers a second, the bytes and the server's processor time for each, and how long they took. In
/// the 99th percentile, a slow answer counts also for the requests that its connection did not send meanwhile.
/// </summary>
internal sealed record Load(double PerSecond, double Bytes, TimeSpan Processor, double MedianMs, double P99Ms, double LongestMs)
{
    public string Latencies => $"p99 {P99Ms:N2} ms, median {MedianMs:N2} ms, longest {LongestMs:N1} ms";

    public override string ToString() => $"{PerSecond:N0} /s at {Processor.TotalMicroseconds:N1} µs of processor";
}
