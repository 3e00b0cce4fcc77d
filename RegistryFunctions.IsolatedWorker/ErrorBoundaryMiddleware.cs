using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Middleware;
using RegistryFunctions.Functions;

namespace RegistryFunctions.IsolatedWorker;

/// <summary>Puts the registry's error boundary around the HTTP functions: the worker's own answer to an exception is empty.</summary>
internal sealed class ErrorBoundaryMiddleware(ErrorBoundary boundary) : IFunctionsWorkerMiddleware
{
    public Task Invoke(FunctionContext context, FunctionExecutionDelegate next) =>
        context.GetHttpContext() is { } http ? boundary.InvokeAsync(http, _ => next(context)) : next(context);
}
