using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using RegistryFunctions.Tests.Support.Rpc;
using Yarp.ReverseProxy.Forwarder;

namespace RegistryFunctions.Tests.Support;

/// <summary>
/// Plays the Azure Functions host for one .NET isolated worker: speaks the worker protocol with it, and forwards the
/// requests of clients to it.
/// </summary>
internal sealed class FunctionsHost : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(1);

    // How long the real host lets a request wait for a worker.
    private static readonly TimeSpan ClientsPatience = TimeSpan.FromSeconds(30);

    private static readonly string LongestMessage = int.MaxValue.ToString(CultureInfo.InvariantCulture);

    private readonly string _requestId = Guid.NewGuid().ToString();
    private readonly string _workerId = Guid.NewGuid().ToString();
    private readonly ConcurrentQueue<WorkerLog> _logs = new();
    private readonly Lock _lock = new();
    private readonly WebApplication _forWorker;
    private readonly WebApplication _forClients;
    private readonly string _app;
    private TaskCompletionSource<WorkerStream> _worker = NewWorker();

    private FunctionsHost(string app)
    {
        _app = app;
        _forWorker = BuildForWorker();
        _forClients = BuildForClients();
    }

    /// <summary>The function app as the build made it, beside the tests.</summary>
    public static string BuiltApp { get; } = Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory);

    /// <summary>The folder of the function app: what REGISTRY_FUNCTION_APP names, such as a published one, else the built one.</summary>
    public static string App { get; } = Environment.GetEnvironmentVariable("REGISTRY_FUNCTION_APP") is { Length: > 0 } path
        ? Path.GetFullPath(path, Repository.Root)
        : BuiltApp;

    /// <summary>Where clients send their requests.</summary>
    public Uri Url => new(_forClients.Urls.Single());

    /// <summary>Where the worker calls.</summary>
    public Uri GrpcUrl => new(_forWorker.Urls.Single());

    /// <summary>What the real host starts a worker with. Everything is said twice: the older names and the newer.</summary>
    public IReadOnlyList<string> WorkerArguments =>
    [
        "--host", GrpcUrl.Host,
        "--port", GrpcUrl.Port.ToString(CultureInfo.InvariantCulture),
        "--workerId", _workerId,
        "--requestId", _requestId,
        "--grpcMaxMessageLength", LongestMessage,
        "--functions-uri", GrpcUrl.AbsoluteUri,
        "--functions-worker-id", _workerId,
        "--functions-request-id", _requestId,
        "--functions-grpc-max-message-length", LongestMessage,
    ];

    /// <summary>What the real host has in a worker's environment besides the app's settings.</summary>
    public IReadOnlyDictionary<string, string> WorkerEnvironment => new Dictionary<string, string>
    {
        ["FUNCTIONS_APPLICATION_DIRECTORY"] = _app,
        ["FUNCTIONS_WORKER_DIRECTORY"] = _app,
        ["FUNCTIONS_WORKER_RUNTIME"] = "dotnet-isolated",
    };

    /// <summary>What the worker makes of its arguments, for one in the tests' own process, whose arguments are the tests'.</summary>
    public IReadOnlyDictionary<string, string?> WorkerConfiguration => new Dictionary<string, string?>
    {
        ["Functions:Worker:HostEndpoint"] = GrpcUrl.AbsoluteUri,
        ["Functions:Worker:WorkerId"] = _workerId,
        ["Functions:Worker:RequestId"] = _requestId,
        ["Functions:Worker:GrpcMaxMessageLength"] = LongestMessage,
    };

    /// <summary>
    /// Where the worker takes HTTP requests: what it has told, unless a test knows better, whose worker in the same process can't
    /// tell its port before it listens.
    /// </summary>
    public Uri WorkerUri
    {
        get => field ?? Worker.Result.HttpUri
            ?? throw new InvalidOperationException("The worker takes no HTTP requests: it has told no HttpUri.");
        set;
    }

    /// <summary>What the worker said of its functions, by name.</summary>
    public IReadOnlyList<FunctionMetadata> Functions { get; private set; } = [];

    /// <summary>What the worker has logged through the host.</summary>
    public IReadOnlyList<WorkerLog> Logs => [.. _logs];

    private Task<WorkerStream> Worker
    {
        get
        {
            lock (_lock)
            {
                return _worker.Task;
            }
        }
    }

    /// <summary>Listens on ports of loopback that were free, for the worker and for clients. There is no worker yet.</summary>
    /// <param name="app">Another folder than <see cref="App"/>.</param>
    public static async Task<FunctionsHost> ListenAsync(string? app = null)
    {
        var host = new FunctionsHost(app ?? App);
        await host._forWorker.StartAsync();
        await host._forClients.StartAsync();
        return host;
    }

    /// <summary>A JSON file of the function app, such as host.json.</summary>
    public JsonElement Read(string file) => JsonSerializer.Deserialize<JsonElement>(File.ReadAllBytes(Path.Combine(_app, file)));

    /// <summary>From now on it waits for another worker, if one has come already.</summary>
    public void ExpectWorker() => Announce();

    /// <summary>Waits until a worker has loaded its functions: from then on requests are forwarded to it.</summary>
    /// <exception cref="Exception">It could not, or it went away.</exception>
    public Task WorkerReadyAsync() => Worker.WaitAsync(Deadline);

    /// <summary>
    /// Waits until the worker has answered a request. The first one makes it compile much of itself, and on a busy machine the worker
    /// can miss the 5 seconds that it gives itself to put the two halves of a request together.
    /// </summary>
    public async Task AnswersAsync()
    {
        using var client = new HttpClient();
        using var deadline = new CancellationTokenSource(Deadline);
        while (true)
        {
            using HttpResponseMessage response = await client.GetAsync(new Uri(Url, "health/live"), deadline.Token);
            if (response.IsSuccessStatusCode)
            {
                return;
            }
        }
    }

    /// <summary>Fires a timer function as the real host does when its time has come.</summary>
    public async Task<InvocationOutcome> FireTimerAsync(string function, bool isPastDue = false)
    {
        WorkerStream worker = await Worker.WaitAsync(Deadline);
        DateTime now = DateTime.UtcNow;
        string timer = JsonSerializer.Serialize(new
        {
            Schedule = new { AdjustForDST = true },
            ScheduleStatus = new { Last = now.AddHours(-1), LastUpdated = now.AddHours(-1), Next = now },
            IsPastDue = isPastDue,
        });
        return await worker.InvokeAsync(
            Guid.NewGuid().ToString(),
            Functions.Single(f => f.Name == function),
            new TypedData { Json = timer },
            CancellationToken.None).WaitAsync(Deadline);
    }

    /// <summary>Tells the worker to end, as the real host does when it stops. Its end is for the test to wait for.</summary>
    public void TerminateWorker()
    {
        Task<WorkerStream> worker = Worker;
        if (!worker.IsCompletedSuccessfully)
        {
            throw new InvalidOperationException("There is no worker to end: it has gone by itself.");
        }

        worker.Result.Terminate();
    }

    /// <summary>Drops the worker's and the clients' connections and listens no more, as when a process is killed.</summary>
    public async Task AbortAsync()
    {
        var now = new CancellationToken(canceled: true);
        await _forWorker.StopAsync(now);
        await _forClients.StopAsync(now);
    }

    public async ValueTask DisposeAsync()
    {
        await AbortAsync();
        await _forClients.DisposeAsync();
        await _forWorker.DisposeAsync();
    }

    private static TaskCompletionSource<WorkerStream> NewWorker() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static WebApplicationBuilder CreateBuilder(HttpProtocols protocols)
    {
        // Empty: the tests' own environment has no say in it.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = protocols);
        });
        return builder;
    }

    private WebApplication BuildForWorker()
    {
        WebApplicationBuilder builder = CreateBuilder(HttpProtocols.Http2);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(this);
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = null);
        WebApplication app = builder.Build();
        app.MapGrpcService<WorkerService>();
        return app;
    }

    private WebApplication BuildForClients()
    {
        string routePrefix = Read("host.json").GetProperty("extensions").GetProperty("http").GetProperty("routePrefix").GetString()!;
        WebApplicationBuilder builder = CreateBuilder(HttpProtocols.Http1);
        builder.Services.AddHttpForwarder();
        builder.Services.AddSingleton(services => new HttpTriggers(services.GetRequiredService<IHttpForwarder>(), routePrefix));
        WebApplication app = builder.Build();
        app.Run(AnswerAsync);
        return app;
    }

    private async Task AnswerAsync(HttpContext context)
    {
        WorkerStream worker;
        try
        {
            worker = await Worker.WaitAsync(ClientsPatience, context.RequestAborted);
        }
        catch (Exception)
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            await context.Response.WriteAsync("Function host is not running.");
            return;
        }

        await context.RequestServices.GetRequiredService<HttpTriggers>().AnswerAsync(context, worker, WorkerUri);
    }

    private async Task ServeAsync(IAsyncStreamReader<StreamingMessage> reader, IServerStreamWriter<StreamingMessage> writer)
    {
        TaskCompletionSource<WorkerStream> announced = Announce();
        var worker = new WorkerStream(_workerId, _app, _logs.Enqueue);
        Task running = worker.RunAsync(reader, writer);
        try
        {
            await worker.Loaded;
            Functions = worker.Functions;
            announced.SetResult(worker);
        }
        catch (Exception e)
        {
            announced.SetException(e);
        }

        await running;
        lock (_lock)
        {
            // Requests wait for the next one, unless it has come before the end of this one was noticed.
            if (_worker == announced && announced.Task.IsCompletedSuccessfully)
            {
                _worker = NewWorker();
            }
        }
    }

    // What those who wait for a worker wait for: the same, unless that has come already.
    private TaskCompletionSource<WorkerStream> Announce()
    {
        lock (_lock)
        {
            return _worker = _worker.Task.IsCompleted ? NewWorker() : _worker;
        }
    }

    private sealed class WorkerService(FunctionsHost host) : FunctionRpc.FunctionRpcBase
    {
        public override Task EventStream(
            IAsyncStreamReader<StreamingMessage> requestStream,
            IServerStreamWriter<StreamingMessage> responseStream,
            ServerCallContext context) => host.ServeAsync(requestStream, responseStream);
    }
}
