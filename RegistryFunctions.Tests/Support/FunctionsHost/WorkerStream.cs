using System.Collections.Concurrent;
using System.Threading.Channels;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using RegistryFunctions.Tests.Support.Rpc;

namespace RegistryFunctions.Tests.Support;

/// <summary>A line that the worker has the host log.</summary>
internal sealed record WorkerLog(LogLevel Level, string Category, string Message, string? Exception);

/// <summary>How an invocation ended, as the worker says.</summary>
/// <param name="Status">Whether it failed.</param>
/// <param name="Exception">What the function threw.</param>
/// <param name="HasReturnValue">Whether the worker has sent what the function returned.</param>
internal sealed record InvocationOutcome(StatusResult.Types.Status Status, string? Exception, bool HasReturnValue)
{
    public bool Succeeded => Status == StatusResult.Types.Status.Success;

    public static InvocationOutcome From(StatusResult result, bool hasReturnValue = false) =>
        new(result.Status, result.Exception is { } e ? $"{e.Type} {e.Message} {e.StackTrace}" : null, hasReturnValue);
}

/// <summary>The host's end of one worker's gRPC stream: it starts the worker's functions and then invokes them.</summary>
internal sealed class WorkerStream(string workerId, string app, Action<WorkerLog> log)
{
    // As the real host has it.
    private const string HostVersion = "4.1037.0.0";

    private static readonly TimeSpan GracePeriod = TimeSpan.FromSeconds(5);

    private readonly TaskCompletionSource _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HashSet<string> _loading = [];
    private readonly ConcurrentDictionary<string, TaskCompletionSource<InvocationResponse>> _invocations = new();
    private readonly Channel<StreamingMessage> _toWorker =
        Channel.CreateUnbounded<StreamingMessage>(new UnboundedChannelOptions { SingleReader = true });

    private bool _cancels;
    private volatile bool _gone;

    /// <summary>Ends when every function is loaded, or with an exception that says why not.</summary>
    public Task Loaded => _loaded.Task;

    public IReadOnlyList<FunctionMetadata> Functions { get; private set; } = [];

    /// <summary>Where the worker takes the HTTP requests of its functions.</summary>
    public Uri? HttpUri { get; private set; }

    /// <summary>Talks with the worker until it goes away or can't do what it is told.</summary>
    public async Task RunAsync(IAsyncStreamReader<StreamingMessage> reader, IServerStreamWriter<StreamingMessage> writer)
    {
        Task writing = WriteAsync(writer);
        try
        {
            while (await reader.MoveNext(CancellationToken.None))
            {
                Take(reader.Current);
            }
        }
        catch (Exception e) when (e is not (IOException or OperationCanceledException))
        {
            _loaded.TrySetException(e);
        }
        catch (Exception)
        {
            // The worker's process is gone, or the host ends.
        }

        _gone = true;
        _loaded.TrySetException(Gone());
        foreach (TaskCompletionSource<InvocationResponse> invocation in _invocations.Values)
        {
            invocation.TrySetException(Gone());
        }

        _toWorker.Writer.Complete();
        await writing;
    }

    /// <summary>Invokes a function; the token asks the worker to cancel it, where the worker can.</summary>
    public async Task<InvocationOutcome> InvokeAsync(
        string invocationId, FunctionMetadata function, TypedData input, CancellationToken cancellationToken)
    {
        var ended = new TaskCompletionSource<InvocationResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
        _invocations[invocationId] = ended;
        try
        {
            if (_gone)
            {
                throw Gone();
            }

            Send(new StreamingMessage
            {
                InvocationRequest = new InvocationRequest
                {
                    InvocationId = invocationId,
                    FunctionId = function.Id,
                    TraceContext = new RpcTraceContext(),
                    InputData = { new ParameterBinding { Name = function.TriggerName, Data = input } },
                },
            });
            await using (cancellationToken.Register(() => Cancel(invocationId)))
            {
                InvocationResponse response = await ended.Task;
                return InvocationOutcome.From(response.Result, response.ReturnValue is not null);
            }
        }
        finally
        {
            _invocations.TryRemove(invocationId, out _);
        }
    }

    /// <summary>Tells the worker to end.</summary>
    public void Terminate() => Send(new StreamingMessage
    {
        WorkerTerminate = new WorkerTerminate { GracePeriod = Duration.FromTimeSpan(GracePeriod) },
    });

    private void Take(StreamingMessage message)
    {
        switch (message.ContentCase)
        {
            case StreamingMessage.ContentOneofCase.StartStream:
                Initialize(message.StartStream);
                break;
            case StreamingMessage.ContentOneofCase.WorkerInitResponse:
                AskForFunctions(message.WorkerInitResponse);
                break;
            case StreamingMessage.ContentOneofCase.FunctionMetadataResponse:
                Load(message.FunctionMetadataResponse);
                break;
            case StreamingMessage.ContentOneofCase.FunctionLoadResponse:
                Take(message.FunctionLoadResponse);
                break;
            case StreamingMessage.ContentOneofCase.InvocationResponse:
                Take(message.InvocationResponse);
                break;
            case StreamingMessage.ContentOneofCase.RpcLog:
                Take(message.RpcLog);
                break;
        }
    }

    private void Initialize(StartStream start)
    {
        if (start.WorkerId != workerId)
        {
            throw new InvalidOperationException($"The worker calls itself {start.WorkerId}, and was started as {workerId}.");
        }

        Send(new StreamingMessage
        {
            WorkerInitRequest = new WorkerInitRequest
            {
                HostVersion = HostVersion,
                WorkerDirectory = app,
                FunctionAppDirectory = app,
            },
        });
    }

    private void AskForFunctions(WorkerInitResponse response)
    {
        Check(response.Result, "The worker could not initialize");
        HttpUri = response.Capabilities.TryGetValue("HttpUri", out string? uri) ? new Uri(uri) : null;
        _cancels = response.Capabilities.ContainsKey("HandlesInvocationCancelMessage");
        Send(new StreamingMessage
        {
            FunctionsMetadataRequest = new FunctionsMetadataRequest { FunctionAppDirectory = app },
        });
    }

    private void Load(FunctionMetadataResponse response)
    {
        Check(response.Result, "The worker could not list its functions");
        foreach (RpcFunctionMetadata told in response.FunctionMetadataResults.Where(told => told.Status is not null))
        {
            Check(told.Status, $"The worker could not describe {told.Name}");
        }

        Functions = [.. response.FunctionMetadataResults.Select(FunctionMetadata.From).OrderBy(f => f.Name, StringComparer.Ordinal)];
        if (Functions.Count == 0)
        {
            throw new InvalidOperationException("The worker has no functions.");
        }

        _loading.UnionWith(Functions.Select(function => function.Id));
        foreach (FunctionMetadata function in Functions)
        {
            Send(new StreamingMessage
            {
                FunctionLoadRequest = new FunctionLoadRequest { FunctionId = function.Id, Metadata = function.ToLoad() },
            });
        }
    }

    private void Take(FunctionLoadResponse response)
    {
        Check(response.Result, $"The worker could not load {Functions.Single(f => f.Id == response.FunctionId).Name}");
        _loading.Remove(response.FunctionId);
        if (_loading.Count == 0)
        {
            _loaded.TrySetResult();
        }
    }

    private void Take(InvocationResponse response)
    {
        if (_invocations.TryGetValue(response.InvocationId, out TaskCompletionSource<InvocationResponse>? invocation))
        {
            invocation.TrySetResult(response);
        }
    }

    private void Take(RpcLog line) => log(new WorkerLog(
        (LogLevel)line.Level,
        line.Category,
        line.Message,
        line.Exception is { } e ? $"{e.Type} {e.Message} {e.StackTrace}" : null));

    private void Cancel(string invocationId)
    {
        if (_cancels)
        {
            Send(new StreamingMessage { InvocationCancel = new InvocationCancel { InvocationId = invocationId } });
        }
    }

    // Nothing is sent to a worker that is gone: the reading side tells those who wait for an answer.
    private void Send(StreamingMessage message) => _toWorker.Writer.TryWrite(message);

    private async Task WriteAsync(IServerStreamWriter<StreamingMessage> writer)
    {
        try
        {
            await foreach (StreamingMessage message in _toWorker.Reader.ReadAllAsync())
            {
                await writer.WriteAsync(message);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException)
        {
            // The worker is gone.
        }
    }

    private static void Check(StatusResult result, string failure)
    {
        if (result.Status != StatusResult.Types.Status.Success)
        {
            throw new InvalidOperationException($"{failure}: {result.Result} {InvocationOutcome.From(result).Exception}");
        }
    }

    private static IOException Gone() => new("The worker has gone away.");
}
