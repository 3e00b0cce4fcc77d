using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing.Template;
using RegistryFunctions.Tests.Support.Rpc;
using Yarp.ReverseProxy.Forwarder;

namespace RegistryFunctions.Tests.Support;

/// <summary>Which function a request is for, and its way there and back, as the real host has it.</summary>
internal sealed class HttpTriggers(IHttpForwarder forwarder, string routePrefix) : IDisposable
{
    private const string InvocationHeader = "x-ms-invocation-id";

    private static readonly ForwarderRequestConfig Forwarding = new() { ActivityTimeout = TimeSpan.FromMinutes(4) };

    private readonly HttpMessageInvoker _worker = new(
        new RetryingHandler(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }));

    /// <summary>Answers one request of a client.</summary>
    public async Task AnswerAsync(HttpContext context, WorkerStream worker, Uri workerUri)
    {
        if (Find(context.Request, worker.Functions) is not { } function)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        try
        {
            await InvokeAsync(context, worker, workerUri, function);
        }
        catch (Exception) when (!context.Response.HasStarted)
        {
            context.Response.Clear();
            context.Response.StatusCode = StatusCodes.Status500InternalServerError;
        }
    }

    public void Dispose() => _worker.Dispose();

    // The most specific route that has the method: a method that no function lists is as unknown as a path.
    private FunctionMetadata? Find(HttpRequest request, IReadOnlyList<FunctionMetadata> functions) =>
        (from function in functions
         where function.IsHttp && (function.Methods.Count == 0 || function.Methods.Contains(request.Method, StringComparer.OrdinalIgnoreCase))
         let route = TemplateParser.Parse($"{routePrefix}/{function.Route ?? function.Name}".Trim('/'))
         where new TemplateMatcher(route, []).TryMatch(request.Path, [])
         orderby RoutePrecedence.ComputeInbound(route)
         select function).FirstOrDefault();

    // The request goes by HTTP, and the word that it comes by gRPC. The worker puts the two together by the header.
    private async Task InvokeAsync(
        HttpContext context, WorkerStream worker, Uri workerUri, FunctionMetadata function)
    {
        string id = Guid.NewGuid().ToString();
        // As the real host: what a client has put there stays.
        context.Request.Headers.TryAdd(InvocationHeader, id);
        // With the headers as they came: the real host adds no X-Forwarded-For, as this forwarder would by default.
        Task<ForwarderError> forwarding =
            forwarder.SendAsync(context, workerUri.AbsoluteUri, _worker, Forwarding, HttpTransformer.Empty).AsTask();
        Task<InvocationOutcome> invocation =
            worker.InvokeAsync(id, function, new TypedData { Http = new RpcHttp() }, context.RequestAborted);
        // Both, whatever becomes of the one: the forwarding uses the context to its end.
        await Task.WhenAll(forwarding, invocation);
        if (await forwarding is not ForwarderError.None and ForwarderError error)
        {
            throw new HttpRequestException($"{function.Name}: the request was not forwarded: {error}");
        }

        InvocationOutcome outcome = await invocation;
        if (!outcome.Succeeded || outcome.HasReturnValue)
        {
            // The real host would not mind a value. But the answer went by HTTP: a worker that sends it here too does all of it
            // twice.
            throw new InvalidOperationException($"{function.Name}: {outcome}");
        }
    }

    /// <summary>The worker may have told its address before it listens there.</summary>
    private sealed class RetryingHandler(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        private const int Attempts = 10;

        private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(50);
        private static readonly TimeSpan LongestDelay = TimeSpan.FromMilliseconds(250);

        protected override async Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken)
        {
            TimeSpan delay = FirstDelay;
            for (int attempt = 1; ; attempt++)
            {
                try
                {
                    return await base.SendAsync(request, cancellationToken);
                }
                catch (HttpRequestException) when (attempt < Attempts)
                {
                    await Task.Delay(delay, cancellationToken);
                    delay = delay * 2 < LongestDelay ? delay * 2 : LongestDelay;
                }
            }
        }
    }
}
