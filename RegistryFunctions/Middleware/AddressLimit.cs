using System.Net;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Middleware;
using Microsoft.Extensions.Options;
using RegistryFunctions.Functions;
using RegistryFunctions.RateLimits;
using RegistryFunctions.Settings;
using IPNetwork = System.Net.IPNetwork;

namespace RegistryFunctions.Middleware;

/// <summary>
/// Refuses clients that ask too often, told apart by their address. For the worker and for ASP.NET Core alike.
/// </summary>
/// <remarks>
/// The <c>X-Forwarded-For</c> of trusted proxies is believed. The client is the last address in it that is no proxy's: what a
/// client writes there itself comes before that.
/// </remarks>
public sealed class AddressLimit : IFunctionsWorkerMiddleware
{
    private readonly RateLimit<ClientNetwork> _limit;
    private readonly ForwardedHeadersMiddleware? _forwarded;

    /// <summary>Limits by the settings.</summary>
    public AddressLimit(RateLimit<ClientNetwork> limit, RegistryOptions options, ILoggerFactory loggers)
    {
        _limit = limit;
        IReadOnlyList<IPNetwork> proxies = NetworksAttribute.Parse(options.TrustedProxies)!;
        // Without networks, the framework would believe everybody.
        _forwarded = proxies.Count == 0
            ? null
            : new ForwardedHeadersMiddleware(_ => Task.CompletedTask, loggers, Options.Create(TrustOnly(proxies)));
    }

    /// <summary>Runs a function of the worker, or answers that it was asked for too often.</summary>
    public Task Invoke(FunctionContext context, FunctionExecutionDelegate next)
    {
        if (context.GetHttpContext() is { } http && Refuse(http, context.FunctionDefinition.Name) is { } refusal)
        {
            context.GetInvocationResult().Value = refusal;
            return Task.CompletedTask;
        }

        return next(context);
    }

    /// <summary>Runs the rest of ASP.NET Core's pipeline, or answers that it was asked for too often.</summary>
    public Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (!_limit.IsOn)
        {
            return next(context);
        }

        FunctionAttribute? function = context.GetEndpoint()?.Metadata.GetMetadata<FunctionAttribute>();
        return function is not null && Refuse(context, function.Name) is { } refusal
            ? refusal.ExecuteAsync(context)
            : next(context);
    }

    // Health is not limited: its answer is cached, and monitoring must work during overload.
    private Problem? Refuse(HttpContext context, string function)
    {
        if (!_limit.IsOn || function == nameof(Health))
        {
            return null;
        }

        _forwarded?.ApplyForwarders(context);
        var client = new ClientNetwork(context.Connection.RemoteIpAddress ?? IPAddress.None);
        return _limit.TryTake(client)
            ? null
            : new Problem(
                StatusCodes.Status429TooManyRequests,
                "too many requests from this address: wait and try again",
                _limit.RetryAfter);
    }

    private static ForwardedHeadersOptions TrustOnly(IReadOnlyList<IPNetwork> proxies)
    {
        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor, ForwardLimit = null };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (IPNetwork proxy in proxies)
        {
            options.KnownIPNetworks.Add(proxy);
        }

        // Who calls "localhost" comes from the one or the other: both are this machine.
        if (proxies.Any(proxy => proxy.Contains(IPAddress.Loopback) || proxy.Contains(IPAddress.IPv6Loopback)))
        {
            options.KnownProxies.Add(IPAddress.Loopback);
            options.KnownProxies.Add(IPAddress.IPv6Loopback);
        }

        return options;
    }
}
