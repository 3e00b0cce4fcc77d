using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>What the stand-alone server's own web server does. Before a worker stands the Functions host's.</summary>
public sealed class WebServerTests
{
    [Fact]
    public async Task A_Content_Length_over_the_limit_is_413_before_the_body()
    {
        await using RegistryServer server = await RegistryServer.StartAsync(Way.StandAlone);
        using HttpConnection connection = await HttpConnection.OpenAsync(server.Url);
        await connection.SendAsync($"POST /v0/keypackage HTTP/1.1\r\nHost: x\r\nContent-Length: {(64 * 1024) + 1}\r\n\r\n");
        HttpAnswer? answer = await connection.ReceiveAsync();
        Assert.True(answer is { Status: 413, IsProblem: true }, $"{answer}");
    }

    [Fact]
    public async Task A_body_that_never_comes_whole_is_a_problem_of_the_client()
    {
        await using RegistryServer server = await RegistryServer.StartAsync(Way.StandAlone);
        using var client = new TcpClient();
        await client.ConnectAsync(server.Url.Host, server.Url.Port);
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync("POST /v0/keypackage HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n"u8.ToArray());
        using var reader = new StreamReader(stream);
        Assert.Equal("HTTP/1.1 400 Bad Request", await reader.ReadLineAsync());
        await server.AssertStopsWithoutWarningsAsync();
    }

    [Fact]
    public async Task Connections_beyond_the_limit_are_closed_unanswered()
    {
        await using RegistryServer server = await RegistryServer.StartAsync(Way.StandAlone, ("MaxConnections", "2"));
        byte[] request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray();
        using var first = new TcpClient();
        using var second = new TcpClient();
        foreach (TcpClient client in (TcpClient[])[first, second])
        {
            await client.ConnectAsync(server.Url.Host, server.Url.Port);
            await client.GetStream().WriteAsync(request);
            Assert.NotEqual(0, await client.GetStream().ReadAsync(new byte[1]));
        }

        using var third = new TcpClient();
        await third.ConnectAsync(server.Url.Host, server.Url.Port);
        Assert.Equal(0, await third.GetStream().ReadAsync(new byte[1]).AsTask().WaitAsync(TimeSpan.FromMinutes(1)));
    }

    // Kestrel's clock is the machine's, so what can be seen in a test is what it was told.
    [Fact]
    public async Task Idle_and_slow_connections_are_closed_after_the_times_that_operators_are_told()
    {
        await using HostedRegistry server = await HostedRegistry.StartAsync(Way.StandAlone);
        KestrelServerLimits limits = server.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits;
        Assert.Equal(TimeSpan.FromSeconds(130), limits.KeepAliveTimeout);
        Assert.Equal(TimeSpan.FromSeconds(10), limits.RequestHeadersTimeout);
        Assert.All((MinDataRate?[])[limits.MinRequestBodyDataRate, limits.MinResponseDataRate], rate =>
            Assert.Equal((240, TimeSpan.FromSeconds(5)), (rate!.BytesPerSecond, rate.GracePeriod)));
    }

    [Fact]
    public async Task There_is_nothing_at_the_root()
    {
        await using RegistryServer server = await RegistryServer.StartAsync(Way.StandAlone);
        using HttpResponseMessage response = await server.SendAsync(HttpMethod.Get, "");
        await ProblemAssert.IsProblemAsync(HttpStatusCode.NotFound, response);
    }

    [Theory]
    [InlineData("127.0.0.0/8", "127.0.0.1")]
    [InlineData("::1", "127.0.0.1")]
    [InlineData("127.0.0.1", "::1")]
    public async Task A_proxy_on_this_machine_is_trusted_by_either_of_its_addresses(string trusted, string from)
    {
        Assert.SkipUnless(Socket.OSSupportsIPv6, "needs IPv6");
        await using RegistryServer server = await RegistryServer.StartAsync(
            Way.StandAlone, ("Bind", "[::]:0"), ("MaxRequestsPerMinute", "1"), ("TrustedProxies", trusted));
        using var proxy = new HttpClient
        {
            BaseAddress = new UriBuilder(Uri.UriSchemeHttp, from, server.Url.Port).Uri,
        };
        for (int i = 1; i < 4; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"v0/keypackage/{new Device().Hex}");
            request.Headers.Add("X-Forwarded-For", $"198.51.100.{i}");
            using HttpResponseMessage response = await proxy.SendAsync(request);
            Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        }
    }

    [Fact]
    public async Task Clients_are_told_apart_by_their_address()
    {
        await using RegistryServer server = await RegistryServer.StartAsync(Way.StandAlone, ("MaxRequestsPerMinute", "1"));
        foreach (string address in (string[])["127.0.0.1", "127.0.0.2"])
        {
            using HttpClient client = ClientAt(address);
            var url = new Uri(server.Url, $"v0/keypackage/{new Device().Hex}");
            using HttpResponseMessage first = await client.GetAsync(url);
            Assert.Equal(HttpStatusCode.NotFound, first.StatusCode);
            using HttpResponseMessage second = await client.GetAsync(url);
            Assert.Equal(HttpStatusCode.TooManyRequests, second.StatusCode);
        }
    }

    private static HttpClient ClientAt(string address)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs Linux, where all of 127.0.0.0/8 is this machine");
        return new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (context, cancellationToken) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
                await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        });
    }
}
