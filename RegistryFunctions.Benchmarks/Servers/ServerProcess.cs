using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using RegistryFunctions.Benchmarks.Load;

namespace RegistryFunctions.Benchmarks.Servers;

/// <summary>A server in a process of its own, on a loopback port of its own.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _errors = new();

    private ServerProcess(int port, ProcessStartInfo start)
    {
        Port = port;
        Client = new HttpClient
        {
            BaseAddress = new Uri($"http://127.0.0.1:{port}/"),
            Timeout = TimeSpan.FromMinutes(10),
        };
        start.Environment["Logging__LogLevel__Default"] = "Warning";
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        _process = new Process { StartInfo = start };
        _process.ErrorDataReceived += (_, line) => _errors.Enqueue(line.Data ?? "");
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Port { get; }

    public bool HasExited => _process.HasExited;

    /// <summary>Requests beside the load, by paths.</summary>
    public HttpClient Client { get; }

    /// <summary>Starts the registry over a database.</summary>
    public static ServerProcess Registry(Executable executable, string db)
    {
        int port = FreePort();
        return new ServerProcess(port, executable.With("--bind", $"127.0.0.1:{port}", "--db", db));
    }

    /// <summary>Starts the registry that prunes when it is asked to.</summary>
    public static ServerProcess PruneOnDemand(Executable limits, string db, int retentionDays)
    {
        int port = FreePort();
        ProcessStartInfo start = limits.With("prune-on-demand", port.ToString(CultureInfo.InvariantCulture));
        start.Environment["Registry__Db"] = db;
        start.Environment["Registry__RetentionDays"] = retentionDays.ToString(CultureInfo.InvariantCulture);
        return new ServerProcess(port, start);
    }

    /// <summary>Starts a limit server.</summary>
    public static ServerProcess Limit(Executable executable, string name)
    {
        int port = FreePort();
        return new ServerProcess(port, executable.With(name, port.ToString(CultureInfo.InvariantCulture)));
    }

    /// <summary>Waits until the server answers anything at all.</summary>
    public async Task<ServerProcess> ReadyAsync()
    {
        var patience = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                using HttpResponseMessage response = await Client.GetAsync(new Uri("/", UriKind.Relative));
                return this;
            }
            catch (HttpRequestException) when (!_process.HasExited && patience.Elapsed < Patience)
            {
                await Task.Delay(10);
            }
            catch (HttpRequestException e)
            {
                throw new IOException($"A server did not start. {string.Join(' ', _errors)}", e);
            }
        }
    }

    /// <summary>The time that the processors have worked for it so far.</summary>
    public TimeSpan ProcessorTime()
    {
        _process.Refresh();
        return _process.TotalProcessorTime;
    }

    /// <summary>Resident memory now, in megabytes (2^20), as /proc/PID/status has it.</summary>
    public double ResidentMegabytes()
    {
        string line = File.ReadLines($"/proc/{_process.Id}/status")
            .First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return int.Parse(line.AsSpan()["VmRSS:".Length..^" kB".Length], CultureInfo.InvariantCulture) / 1_024.0;
    }

    /// <summary>Shuts the server down cleanly.</summary>
    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        Linux.Stop(_process.Id);
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
