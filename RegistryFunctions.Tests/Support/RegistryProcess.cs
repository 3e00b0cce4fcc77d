using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace RegistryFunctions.Tests.Support;

/// <summary>
/// The built executable, in a process of its own: what the build made, or the one that REGISTRY_EXECUTABLE names,
/// such as the published native one.
/// </summary>
internal sealed class RegistryProcess : IAsyncDisposable
{
    private const string ServingOn = "Serving on ";

    private static readonly HttpClient Http = new();

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = new();
    private readonly ConcurrentQueue<string> _errors = new();

    private RegistryProcess(Process process, int port)
    {
        _process = process;
        Url = new Uri($"http://127.0.0.1:{port}/");
        process.OutputDataReceived += (_, line) => Keep(_output, line.Data);
        process.ErrorDataReceived += (_, line) => Keep(_errors, line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public static string Executable { get; } = Environment.GetEnvironmentVariable("REGISTRY_EXECUTABLE") is { Length: > 0 } path
        ? Path.GetFullPath(path, Repository.Root)
        : Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "RegistryFunctions.exe" : "RegistryFunctions");

    /// <summary>Whether it is the native executable, which runs without the runtime's files.</summary>
    public static bool IsNative => !File.Exists(Path.ChangeExtension(Executable, "dll"));

    public Uri Url { get; private set; }

    public int Id => _process.Id;

    public string Output => string.Join('\n', _output);

    public string Errors => string.Join('\n', _errors);

    /// <summary>Starts the executable stand-alone.</summary>
    public static RegistryProcess StartAlone(string db, params string[] arguments)
    {
        return Start(Executable, 0, ["--bind", "127.0.0.1:0", "--db", db, .. arguments]);
    }

    /// <summary>Starts an executable with the given port in mind.</summary>
    public static RegistryProcess Start(
        string executable,
        int port,
        IEnumerable<string> arguments,
        string? folder = null,
        IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo(executable, arguments)
        {
            WorkingDirectory = folder ?? AppContext.BaseDirectory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        return new RegistryProcess(new Process { StartInfo = start }, port);
    }

    /// <summary>A port that was free a moment ago.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>
    /// Waits until a stand-alone server answers, and has pruned as it does at its start. With a log level above Information it does
    /// not say so.
    /// </summary>
    public async Task ReadyAsync(bool isQuiet = false)
    {
        if (Url.Port == 0)
        {
            await PrintedAsync(ServingOn);
            string line = Output[(Output.IndexOf(ServingOn, StringComparison.Ordinal) + ServingOn.Length)..];
            Url = new Uri(line[..line.IndexOf(',', StringComparison.Ordinal)]);
        }

        var patience = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                using HttpResponseMessage response = await Http.GetAsync(Url);
                break;
            }
            catch (HttpRequestException) when (!_process.HasExited && patience.Elapsed < TimeSpan.FromSeconds(30))
            {
                await Task.Delay(10);
            }
        }

        if (!isQuiet)
        {
            await PrintedAsync("prune", StringComparison.OrdinalIgnoreCase);
        }
    }

    /// <summary>Waits for a line on standard output.</summary>
    public async Task PrintedAsync(string text, StringComparison comparison = StringComparison.Ordinal)
    {
        var patience = Stopwatch.StartNew();
        while (!Output.Contains(text, comparison))
        {
            Assert.True(patience.Elapsed < TimeSpan.FromSeconds(30), $"\"{text}\" is not in: {Output} {Errors}");
            await Task.Delay(10);
        }
    }

    public async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, string? json = null, Action<HttpRequestMessage>? with = null)
    {
        var request = new HttpRequestMessage(method, new Uri(Url, path));
        if (json is not null)
        {
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        }

        with?.Invoke(request);
        return await Http.SendAsync(request);
    }

    public Task<HttpResponseMessage> PublishAsync(Device device, ReadOnlySpan<byte> payload) =>
        SendAsync(HttpMethod.Post, "v0/keypackage", device.Publication(payload));

    /// <summary>Publishes; false where the answer is anything but 204.</summary>
    public async Task<bool> TryPublishAsync(Device device, byte[] payload)
    {
        using HttpResponseMessage response = await PublishAsync(device, payload);
        return response.StatusCode == HttpStatusCode.NoContent;
    }

    public async Task<byte[]?> FetchAsync(Device device)
    {
        using HttpResponseMessage response = await SendAsync(HttpMethod.Get, $"v0/keypackage/{device.Hex}");
        return response.IsSuccessStatusCode ? await Fetched.PayloadAsync(response, device) : null;
    }

    /// <summary>SIGTERM, as an init system or a person stops a server.</summary>
    public void Terminate() => Shell.Signal("TERM", Id);

    /// <summary>SIGKILL: the process does not get to do anything.</summary>
    public void Kill() => _process.Kill();

    /// <summary>The exit code, once the process has ended.</summary>
    public async Task<int> ExitAsync()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        await _process.WaitForExitAsync(deadline.Token);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static void Keep(ConcurrentQueue<string> lines, string? line)
    {
        if (line is not null)
        {
            lines.Enqueue(line);
        }
    }
}
