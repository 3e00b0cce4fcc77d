using System.Net;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;
using RegistryFunctions.RateLimits;
using IPNetwork = System.Net.IPNetwork;

namespace RegistryFunctions.Functions;

/// <summary>Stands around a function and refuses clients that ask too often, told apart by their address.</summary>
/// <param name="limit">How often; null for no limit.</param>
/// <param name="trustedProxies">
/// Whose <c>X-Forwarded-For</c> is believed. The client is the last address in it that is not one of these: what a client
/// writes there itself comes before.
/// </param>
/// <param name="loggers">For the framework's reading of that header.</param>
public sealed class AddressLimit(
    RateLimit<ClientNetwork>? limit, IReadOnlyList<IPNetwork> trustedProxies, ILoggerFactory loggers)
{
    // Without networks, the framework would believe everybody.
    private readonly ForwardedHeadersMiddleware? _forwarded = trustedProxies.Count == 0 ? null : new(
        _ => Task.CompletedTask, loggers, Options.Create(TrustOnly(trustedProxies)));

    /// <summary>The function within the limit; the function itself where there is none.</summary>
    public RequestDelegate Around(RequestDelegate function) =>
        limit is null ? function : context => InvokeAsync(limit, context, function);

    private Task InvokeAsync(RateLimit<ClientNetwork> limit, HttpContext context, RequestDelegate function)
    {
        _forwarded?.ApplyForwarders(context);
        var client = new ClientNetwork(context.Connection.RemoteIpAddress ?? IPAddress.None);
        return limit.TryTake(client)
            ? function(context)
            : Problem.WriteTooManyAsync(context, limit.RetryAfter, "too many requests from this address: wait and try again");
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

        return options;
    }
}
