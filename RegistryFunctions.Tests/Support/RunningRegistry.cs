namespace RegistryFunctions.Tests.Support;

/// <summary>The registry in a process of its own, in one of the two ways.</summary>
internal sealed class RunningRegistry : IAsyncDisposable
{
    private readonly WorkerProcess? _worker;

    private RunningRegistry(RegistryProcess process, WorkerProcess? worker)
    {
        Process = process;
        _worker = worker;
    }

    /// <summary>The process; its address is where clients go.</summary>
    public RegistryProcess Process { get; }

    public static async Task<RunningRegistry> StartAsync(Way way, string db)
    {
        if (way == Way.StandAlone)
        {
            var alone = new RunningRegistry(RegistryProcess.StartAlone(db), worker: null);
            await alone.Process.ReadyAsync();
            return alone;
        }

        WorkerProcess worker = await WorkerProcess.StartAsync(("Registry__Db", db));
        await worker.ReadyAsync();
        return new RunningRegistry(worker.Process, worker);
    }

    /// <summary>kill -9. Requests in flight end without an answer of the registry.</summary>
    public async Task KillAsync()
    {
        Process.Kill();
        Assert.NotEqual(0, await Process.ExitAsync());
        await AbortHostAsync();
    }

    /// <summary>Tells it to shut down: by SIGTERM, or as its host does. Returns the exit code.</summary>
    public async Task<int> StopAsync()
    {
        if (_worker is null)
        {
            Process.Terminate();
        }
        else
        {
            _worker.Host.TerminateWorker();
        }

        int code = await Process.ExitAsync();
        await AbortHostAsync();
        return code;
    }

    public ValueTask DisposeAsync() => _worker?.DisposeAsync() ?? Process.DisposeAsync();

    // It would let requests wait for the next worker.
    private Task AbortHostAsync() => _worker?.Host.AbortAsync() ?? Task.CompletedTask;
}
