using System.Net;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Contract;

/// <summary>Rate limits: 429 for whoever asks too often, and for nobody else.</summary>
public abstract class TooManyTests(Way way)
{
    private const string Loopback = "127.0.0.0/8";

    private readonly Device _device = new();

    [Fact]
    public async Task An_address_that_asks_too_often_is_429_whatever_it_asks_and_no_other_is()
    {
        await using RegistryServer server = await RegistryServer.StartAsync(
            way, ("MaxRequestsPerMinute", "3"), ("TrustedProxies", Loopback));
        await AssertAsync(server.GetAsync(_device.Hex), HttpStatusCode.NotFound);
        await AssertAsync(server.PublishAsync(_device, [1]), HttpStatusCode.NoContent);
        await AssertAsync(server.PostAsync("not JSON"), HttpStatusCode.BadRequest);

        await AssertTooManyAsync(server.PublishAsync(_device, [2]), retryAfterSeconds: 20);
        await AssertTooManyAsync(server.GetAsync(_device.Hex), retryAfterSeconds: 20);
        using HttpResponseMessage head = await server.SendAsync(HttpMethod.Head, $"v0/keypackage/{_device.Hex}");
        Assert.Equal(HttpStatusCode.TooManyRequests, head.StatusCode);
        Assert.Equal(1, server.Scalar("SELECT count(*) FROM bundle"));

        await AssertAsync(GetForAsync(server, "198.51.100.1"), HttpStatusCode.OK);
    }

    [Fact]
    public async Task Without_trusted_proxies_nobody_escapes_by_a_header()
    {
        await using RegistryServer server = await RegistryServer.StartAsync(way, ("MaxRequestsPerMinute", "2"));
        await AssertAsync(GetForAsync(server, "198.51.100.1"), HttpStatusCode.NotFound);
        await AssertAsync(GetForAsync(server, "198.51.100.2"), HttpStatusCode.NotFound);
        await AssertTooManyAsync(GetForAsync(server, "198.51.100.3"), retryAfterSeconds: 30);
    }

    [Fact]
    public async Task A_peer_that_is_no_trusted_proxy_does_not_escape_by_a_header()
    {
        await using RegistryServer server = await RegistryServer.StartAsync(
            way, ("MaxRequestsPerMinute", "1"), ("TrustedProxies", "192.0.2.0/24"));
        await AssertAsync(GetForAsync(server, "198.51.100.1"), HttpStatusCode.NotFound);
        await AssertTooManyAsync(GetForAsync(server, "198.51.100.2"), retryAfterSeconds: 60);
    }

    [Theory]
    [InlineData("198.51.100.1", "198.51.100.1", "198.51.100.2")]
    [InlineData("198.51.100.1:1234", "198.51.100.1:1235", "198.51.100.2:1234")]
    [InlineData("198.51.100.1", "203.0.113.9, 198.51.100.1", "198.51.100.1, 203.0.113.9")]
    [InlineData("198.51.100.1, 127.0.0.9", "203.0.113.9, 198.51.100.1, 127.0.0.8", "198.51.100.2, 127.0.0.9")]
    [InlineData("2001:db8::1", "[2001:db8::2]:1234", "2001:db8:0:1::1")]
    [InlineData("nonsense", "198.51.100.1, nonsense", "198.51.100.1")]
    public async Task Behind_a_trusted_proxy_the_client_is_the_last_address_that_is_no_proxy_s(
        string client, string sameClient, string otherClient)
    {
        await using RegistryServer server = await RegistryServer.StartAsync(
            way, ("MaxRequestsPerMinute", "1"), ("TrustedProxies", Loopback));
        await AssertAsync(GetForAsync(server, client), HttpStatusCode.NotFound);
        await AssertTooManyAsync(GetForAsync(server, sameClient), retryAfterSeconds: 60);
        await AssertAsync(GetForAsync(server, otherClient), HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_device_that_adds_too_many_bundles_is_429_and_no_other_is()
    {
        await using RegistryServer server = await RegistryServer.StartAsync(way, ("MaxPublishesPerHour", "3"));
        for (byte i = 1; i <= 3; i++)
        {
            await AssertAsync(server.PublishAsync(_device, [i]), HttpStatusCode.NoContent);
        }

        await AssertTooManyAsync(server.PublishAsync(_device, [4]), retryAfterSeconds: 1_200);
        Assert.Equal(3, server.Scalar("SELECT count(*) FROM bundle"));
        await server.AssertServesAsync(_device, [3]);
        // What adds nothing is answered as ever.
        await AssertAsync(server.PublishAsync(_device, [3]), HttpStatusCode.NoContent);
        await AssertAsync(server.PublishAsync(_device, [2]), HttpStatusCode.Conflict);
        await AssertAsync(server.PublishAsync(new Device(), [1]), HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task Nobody_uses_up_the_allowance_of_another_s_device()
    {
        await using RegistryServer server = await RegistryServer.StartAsync(way, ("MaxPublishesPerHour", "3"));
        await AssertAsync(server.PublishAsync(_device, [1]), HttpStatusCode.NoContent);
        await AssertAsync(server.PublishAsync(_device, [2]), HttpStatusCode.NoContent);
        for (byte i = 0; i < 5; i++)
        {
            await AssertAsync(server.PublishAsync(_device, [1]), HttpStatusCode.Conflict);
            await AssertAsync(server.PublishAsync(_device, [2]), HttpStatusCode.NoContent);
            string forged = Device.Json(_device.Hex, [i], new Device().Sign([i]));
            await AssertAsync(server.PostAsync(forged), HttpStatusCode.BadRequest);
        }

        await AssertAsync(server.PublishAsync(_device, [3]), HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task Of_many_bundles_posted_at_once_as_many_as_allowed_are_stored()
    {
        await using RegistryServer server = await RegistryServer.StartAsync(way, ("MaxPublishesPerHour", "3"), ("MaxPerIdentity", "100"));
        HttpResponseMessage[] responses = await Task.WhenAll(
            Enumerable.Range(0, 40).Select(i => server.PublishAsync(_device, [(byte)i])));
        Assert.Equal(3, responses.Count(response => response.StatusCode == HttpStatusCode.NoContent));
        Assert.Equal(37, responses.Count(response => response.StatusCode == HttpStatusCode.TooManyRequests));
        Assert.Equal(3, server.Scalar("SELECT count(*) FROM bundle"));
    }

    private Task<HttpResponseMessage> GetForAsync(RegistryServer server, string forwardedFor) => server.SendAsync(
        HttpMethod.Get, $"v0/keypackage/{_device.Hex}", request => request.Headers.Add("X-Forwarded-For", forwardedFor));

    private static async Task AssertAsync(Task<HttpResponseMessage> answer, HttpStatusCode expected)
    {
        using HttpResponseMessage response = await answer;
        Assert.Equal(expected, response.StatusCode);
    }

    private static async Task AssertTooManyAsync(Task<HttpResponseMessage> answer, int retryAfterSeconds)
    {
        using HttpResponseMessage response = await answer;
        string detail = await ProblemAssert.IsProblemAsync(HttpStatusCode.TooManyRequests, response);
        Assert.StartsWith("too many", detail, StringComparison.Ordinal);
        Assert.Equal(TimeSpan.FromSeconds(retryAfterSeconds), response.Headers.RetryAfter?.Delta);
    }

    public sealed class StandAlone() : TooManyTests(Way.StandAlone);

    public sealed class ThroughTheWorker() : TooManyTests(Way.Worker);

    public sealed class OnPostgres() : TooManyTests(Way.OnPostgres);
}
