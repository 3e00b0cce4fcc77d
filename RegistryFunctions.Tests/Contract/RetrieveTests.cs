using System.Net;
using System.Text;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Contract;

/// <summary>GET /v0/keypackage/{device_id}.</summary>
public abstract class RetrieveTests(Way way) : IAsyncLifetime
{
    private readonly Device _device = new();
    private RegistryServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await RegistryServer.StartAsync(way);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_registered_device_is_200_with_the_bundle_byte_for_byte()
    {
        byte[] payload = Device.RandomPayload();
        await _server.PublishAsync(_device, payload);
        using HttpResponseMessage response = await _server.GetAsync(_device.Hex);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("application/json", response.Content.Headers.ContentType?.ToString());
        Assert.Equal(
            $$"""{"payload":"{{Convert.ToBase64String(payload)}}","signature":"{{Convert.ToBase64String(_device.Sign(payload))}}"}""",
            await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task The_most_recently_submitted_bundle_is_served()
    {
        for (byte i = 0; i < 8; i++)
        {
            await _server.PublishAsync(_device, [i]);
            await _server.AssertServesAsync(_device, [i]);
        }
    }

    [Fact]
    public async Task Most_recent_does_not_depend_on_the_payload()
    {
        foreach (byte payload in (byte[])[100, 101, 99, 102, 98])
        {
            await _server.PublishAsync(_device, [payload]);
            await _server.AssertServesAsync(_device, [payload]);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-3_650)]
    [InlineData(3_650)]
    public async Task Most_recent_does_not_depend_on_the_clock(int days)
    {
        await using HostedRegistry server = await HostedRegistry.StartAsync(way);
        await server.PublishAsync(_device, [1]);
        server.Time.AdjustTime(server.Time.GetUtcNow().AddDays(days));
        using HttpResponseMessage second = await server.PublishAsync(_device, [2]);
        Assert.Equal(HttpStatusCode.NoContent, second.StatusCode);
        await server.AssertServesAsync(_device, [2]);
    }

    [Fact]
    public async Task An_unknown_device_is_404()
    {
        using HttpResponseMessage response = await _server.GetAsync(_device.Hex);
        await ProblemAssert.IsProblemAsync(HttpStatusCode.NotFound, response);
    }

    [Theory]
    [InlineData("x")]
    [InlineData("00112233445566778899aabbccddeeff00112233445566778899aabbccddeef")]
    [InlineData("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00")]
    [InlineData("zz112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")]
    [InlineData("..%2f")]
    public async Task A_malformed_device_id_is_404(string id)
    {
        using HttpResponseMessage response = await _server.GetAsync(id);
        await ProblemAssert.IsProblemAsync(HttpStatusCode.NotFound, response);
    }

    [Fact]
    public async Task HEAD_answers_like_GET_without_the_body()
    {
        await _server.PublishAsync(_device, Device.RandomPayload());
        using HttpResponseMessage get = await _server.GetAsync(_device.Hex);
        using HttpResponseMessage head = await _server.SendAsync(HttpMethod.Head, $"v0/keypackage/{_device.Hex}");
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        Assert.Empty(await head.Content.ReadAsByteArrayAsync());
        Assert.Equal(HeadersOf(get), HeadersOf(head));

        using HttpResponseMessage unknown = await _server.SendAsync(HttpMethod.Head, $"v0/keypackage/{new Device().Hex}");
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
    }

    [Fact]
    public async Task If_None_Match_with_the_ETag_is_304_until_a_newer_bundle_comes()
    {
        await _server.PublishAsync(_device, [1]);
        using HttpResponseMessage first = await _server.GetAsync(_device.Hex);
        string etag = first.Headers.ETag!.ToString();
        foreach (string condition in (string[])[etag, $"W/{etag}", $"\"other\", {etag}", "*"])
        {
            using HttpResponseMessage same = await GetIfNoneMatchAsync(condition);
            Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);
            Assert.Equal(etag, same.Headers.ETag!.ToString());
            Assert.Equal("no-cache", same.Headers.CacheControl?.ToString());
            Assert.Empty(await same.Content.ReadAsByteArrayAsync());
            Assert.Null(same.Content.Headers.ContentType);
        }

        foreach (string condition in (string[])["\"other\"", "garbage", ""])
        {
            using HttpResponseMessage other = await GetIfNoneMatchAsync(condition);
            Assert.Equal(HttpStatusCode.OK, other.StatusCode);
        }

        await _server.PublishAsync(_device, [2]);
        using HttpResponseMessage newer = await GetIfNoneMatchAsync(etag);
        Assert.Equal(HttpStatusCode.OK, newer.StatusCode);
        Assert.NotEqual(etag, newer.Headers.ETag!.ToString());
    }

    [Fact]
    public async Task An_answer_is_not_cacheable_without_revalidation()
    {
        await _server.PublishAsync(_device, [1]);
        using HttpResponseMessage found = await _server.GetAsync(_device.Hex);
        Assert.Equal("no-cache", found.Headers.CacheControl?.ToString());
        using HttpResponseMessage unknown = await _server.GetAsync(new Device().Hex);
        Assert.Equal("no-store", unknown.Headers.CacheControl?.ToString());
    }

    [Fact]
    public async Task A_restart_keeps_the_bundles_and_their_order()
    {
        var other = new Device();
        await _server.PublishAsync(_device, [1]);
        await _server.PublishAsync(other, [2]);
        await _server.PublishAsync(_device, [3]);
        await _server.RestartAsync();
        await _server.AssertServesAsync(_device, [3]);
        await _server.AssertServesAsync(other, [2]);
        await _server.PublishAsync(_device, [4]);
        await _server.AssertServesAsync(_device, [4]);
    }

    private Task<HttpResponseMessage> GetIfNoneMatchAsync(string condition) => _server.SendAsync(
        HttpMethod.Get,
        $"v0/keypackage/{_device.Hex}",
        request => request.Headers.TryAddWithoutValidation("If-None-Match", condition));

    private static string HeadersOf(HttpResponseMessage response)
    {
        var text = new StringBuilder();
        foreach ((string name, IEnumerable<string> values) in response.Headers.Concat(response.Content.Headers))
        {
            if (name != "Date")
            {
                text.Append(name).Append(": ").AppendJoin(',', values).Append('\n');
            }
        }

        return text.ToString();
    }

    public sealed class StandAlone() : RetrieveTests(Way.StandAlone);

    public sealed class ThroughTheWorker() : RetrieveTests(Way.Worker);

    public sealed class OnPostgres() : RetrieveTests(Way.OnPostgres);
}
