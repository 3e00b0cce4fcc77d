using System.Globalization;
using System.Text.Json;

namespace RegistryFunctions.Tests.Support;

/// <summary>The function app as a worker in a process of its own, with a Functions host played by the tests.</summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private const string WorkerLine = "worker: ";
    private const int Attempts = 3;

    private readonly Func<RegistryProcess> _start;
    private readonly bool _hasParent;

    private WorkerProcess(FunctionsHost host, Func<RegistryProcess> start, bool hasParent)
    {
        Host = host;
        _start = start;
        _hasParent = hasParent;
        Process = start();
    }

    /// <summary>The values of local.settings.sample.json, which Core Tools turn into environment variables.</summary>
    public static IReadOnlyDictionary<string, string> SampleSettings { get; } = JsonSerializer
        .Deserialize<JsonElement>(File.ReadAllBytes(Repository.File("local.settings.sample.json")))
        .GetProperty("Values").EnumerateObject()
        .ToDictionary(setting => setting.Name, setting => setting.Value.GetString()!);

    public FunctionsHost Host { get; }

    /// <summary>The worker, or the parent that it was given; the address is the host's for clients.</summary>
    public RegistryProcess Process { get; private set; }

    /// <summary>Starts the app as worker.config.json says, in the app's folder, as the real host does.</summary>
    /// <param name="settings">Win over the sample's; null for none. A relative Registry__Db lies in the app's folder.</param>
    public static Task<WorkerProcess> StartAsync(params (string Name, string? Value)[] settings) =>
        StartAtAsync(FunctionsHost.App, settings);

    /// <summary>Starts the app that is in another folder.</summary>
    public static Task<WorkerProcess> StartAtAsync(string app, params (string Name, string? Value)[] settings) =>
        StartAsync(app, withParent: false, settings);

    /// <summary>
    /// Starts a process that starts the worker, as the real host is one, prints its process id and waits for its end. Needs a shell.
    /// </summary>
    public static Task<WorkerProcess> StartWithParentAsync(params (string Name, string? Value)[] settings) =>
        StartAsync(FunctionsHost.App, withParent: true, settings);

    /// <summary>Waits until requests are answered by the worker.</summary>
    /// <exception cref="Exception">The worker has ended, with what it had to say, or could not load its functions.</exception>
    public async Task ReadyAsync()
    {
        for (int attempt = 1; !await IsReadyAsync(); attempt++)
        {
            // A worker listens on a port that was free a moment before. Where somebody was faster, the real host starts another
            // worker as well.
            if (attempt == Attempts || !Process.Errors.Contains("can't listen on its own port", StringComparison.Ordinal))
            {
                throw new InvalidOperationException(
                    $"The worker has ended with exit code {await Process.ExitAsync()}: {Process.Errors}");
            }

            await Process.DisposeAsync();
            Host.ExpectWorker();
            Process = _start();
        }
    }

    /// <summary>The id of the worker's own process.</summary>
    public async Task<int> WorkerIdAsync()
    {
        if (!_hasParent)
        {
            return Process.Id;
        }

        await Process.PrintedAsync(WorkerLine);
        return PrintedId()!.Value;
    }

    /// <summary>The host tells the worker to end, and it does, with exit code 0.</summary>
    public async Task StopAsync()
    {
        try
        {
            Host.TerminateWorker();
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidOperationException($"{e.Message} It has said: {Process.Output}\n{Process.Errors}", e);
        }

        Assert.Equal(0, await Process.ExitAsync());
    }

    /// <summary>The host dies: the worker's parent is killed, and its connections break.</summary>
    public async Task DieAsync()
    {
        Process.Kill();
        await Host.AbortAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_hasParent && PrintedId() is { } worker)
        {
            // The parent's end would leave it, and its output open.
            Shell.Signal("KILL", worker);
        }

        await Process.DisposeAsync();
        await Host.DisposeAsync();
    }

    private static async Task<WorkerProcess> StartAsync(string app, bool withParent, (string Name, string? Value)[] settings)
    {
        FunctionsHost host = await FunctionsHost.ListenAsync(app);
        JsonElement description = host.Read("worker.config.json").GetProperty("description");
        string executable = description.GetProperty("defaultExecutablePath").GetString()!;
        string worker = Path.Combine(app, description.GetProperty("defaultWorkerPath").GetString()!);
        string[] arguments = [worker, .. host.WorkerArguments];
        if (withParent)
        {
            arguments = ["-c", $"\"$0\" \"$@\" & echo \"{WorkerLine}$!\"; wait", executable, .. arguments];
            executable = "/bin/sh";
        }

        var environment = new Dictionary<string, string>(host.WorkerEnvironment);
        foreach ((string name, string? value) in SampleSettings.Select(pair => (pair.Key, (string?)pair.Value)).Concat(settings))
        {
            environment.Remove(name);
            if (value is not null)
            {
                environment.Add(name, value);
            }
        }

        return new WorkerProcess(
            host, () => RegistryProcess.Start(executable, host.Url.Port, arguments, app, environment), withParent);
    }

    // False where the process has ended.
    private async Task<bool> IsReadyAsync()
    {
        Task ready = Host.WorkerReadyAsync();
        Task<int> exit = Process.ExitAsync();
        if (await Task.WhenAny(ready, exit) == exit || ready.Exception?.InnerException is IOException)
        {
            await exit;
            return false;
        }

        await ready;
        // It may have told its address before it listens there, and may be slow with its first answer.
        return await Task.WhenAny(Host.AnswersAsync(), exit) != exit;
    }

    private int? PrintedId() =>
        Process.Output.Split('\n').FirstOrDefault(line => line.StartsWith(WorkerLine, StringComparison.Ordinal)) is { } line
            ? int.Parse(line.AsSpan(WorkerLine.Length), NumberStyles.None, CultureInfo.InvariantCulture)
            : null;
}
