using System.Net;
using System.Net.Sockets;
using System.Text;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Contract;

/// <summary>POST /v0/keypackage, row by row.</summary>
public abstract class RegisterTests(Way way) : IAsyncLifetime
{
    private readonly Device _device = new();
    private RegistryServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await RegistryServer.StartAsync(way);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_valid_bundle_is_204_without_a_body_and_then_on_disk()
    {
        byte[] payload = Device.RandomPayload();
        using HttpResponseMessage response = await _server.PublishAsync(_device, payload);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Empty(await response.Content.ReadAsByteArrayAsync());
        Assert.Equal(1, _server.Scalar("SELECT count(*) FROM bundle"));
        await _server.AssertServesAsync(_device, payload);
    }

    [Theory]
    [InlineData("")]
    [InlineData("not JSON")]
    [InlineData("{\"device_id\":")]
    public async Task Not_JSON_is_400(string body) => await RefusesAsync(body, "body:", "device_id:");

    [Theory]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\"text\"")]
    public async Task Not_an_object_is_400(string body) => await RefusesAsync(body, "body: must be one JSON object");

    [Theory]
    [InlineData("device_id")]
    [InlineData("payload")]
    [InlineData("signature")]
    public async Task A_member_missing_null_or_not_a_string_is_400(string member)
    {
        string valid = _device.Publication([1, 2, 3]);
        await RefusesAsync(valid.Replace(member, "other", StringComparison.Ordinal), $"{member}: is missing");
        int value = valid.IndexOf($"\"{member}\":", StringComparison.Ordinal) + member.Length + 3;
        int end = valid.IndexOf('"', value + 1) + 1;
        await RefusesAsync($"{valid[..value]}null{valid[end..]}", $"{member}: must be");
        await RefusesAsync($"{valid[..value]}7{valid[end..]}", $"{member}: must be");
    }

    [Fact]
    public async Task A_known_member_twice_is_400()
    {
        string valid = _device.Publication([1, 2, 3]);
        await RefusesAsync($"{valid[..^1]},\"payload\":\"AQID\"}}", "payload: must appear once");
    }

    [Fact]
    public async Task Trailing_data_is_400()
    {
        string valid = _device.Publication([1, 2, 3]);
        await RefusesAsync(valid + valid, "body: must be one JSON object");
    }

    [Theory]
    [InlineData("")]
    [InlineData("00")]
    [InlineData("zz112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")]
    [InlineData("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00")]
    public async Task A_device_id_that_is_not_64_hex_digits_is_400(string id) =>
        await RefusesAsync(Device.Json(id, [1], _device.Sign([1])), "device_id: must be 64 hex digits");

    [Theory]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")] // the identity
    [InlineData("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")] // not canonical
    [InlineData("0200000000000000000000000000000000000000000000000000000000000000")] // not on the curve
    public async Task A_device_id_that_is_no_usable_key_is_400(string id) =>
        await RefusesAsync(Device.Json(id, [1], _device.Sign([1])), "signature:");

    [Theory]
    [InlineData("AQI")]
    [InlineData("AQI= ")]
    [InlineData("AQ I=")]
    [InlineData("AQJ=")]
    [InlineData("AQI-")]
    public async Task A_payload_that_is_not_canonical_base64_is_400(string payload)
    {
        // The bytes are the signed ones: only the form is at fault.
        string valid = _device.Publication([1, 2]);
        await RefusesAsync(valid.Replace("AQI=", payload, StringComparison.Ordinal), "payload: must be base64: standard alphabet, padded, not base64url");
    }

    [Fact]
    public async Task A_signature_that_is_not_canonical_base64_is_400()
    {
        string signature = Convert.ToBase64String(_device.Sign([1]));
        foreach (string other in (string[])[signature[..^1], signature[..^2], $"{signature} ", $"{signature[..^3]}B=="])
        {
            string body = _device.Publication([1]).Replace(
                System.Text.Json.JsonSerializer.Serialize(signature)[1..^1], other, StringComparison.Ordinal);
            await RefusesAsync(body, "signature: must be base64: standard alphabet, padded, not base64url");
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(63)]
    [InlineData(65)]
    public async Task A_signature_that_is_not_64_bytes_is_400(int length) =>
        await RefusesAsync(Device.Json(_device.Hex, [1], new byte[length]), "signature: must be base64 of 64 bytes");

    [Fact]
    public async Task A_signature_that_does_not_verify_is_400()
    {
        await RefusesAsync(Device.Json(_device.Hex, [2], _device.Sign([1])), "signature: is not");
        await RefusesAsync(Device.Json(_device.Hex, [1], new Device().Sign([1])), "signature: is not");
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("application/jsonx")]
    public async Task A_content_type_that_is_not_JSON_is_415(string contentType)
    {
        using HttpResponseMessage response =
            await _server.PostAsync(Encoding.UTF8.GetBytes(_device.Publication([1])), contentType);
        string detail = await ProblemAssert.IsProblemAsync(HttpStatusCode.UnsupportedMediaType, response);
        Assert.StartsWith("content-type:", detail, StringComparison.Ordinal);
        Assert.Equal(0, _server.Scalar("SELECT count(*) FROM bundle"));
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("br, gzip")]
    public async Task A_body_that_is_encoded_is_415_and_says_what_is_taken(string encoding)
    {
        using HttpResponseMessage response = await SendEncodedAsync(encoding);
        string detail = await ProblemAssert.IsProblemAsync(HttpStatusCode.UnsupportedMediaType, response);
        Assert.Equal($"content-encoding: must be identity or absent, not {encoding}", detail);
        Assert.Equal(["identity"], response.Headers.GetValues("Accept-Encoding"));
        Assert.Equal(0, _server.Scalar("SELECT count(*) FROM bundle"));
    }

    [Fact]
    public async Task A_body_that_is_said_to_be_as_it_is_is_taken()
    {
        using HttpResponseMessage response = await SendEncodedAsync("Identity");
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("application/json")]
    [InlineData("application/json; charset=utf-8")]
    [InlineData("Application/JSON")]
    [InlineData("application/vnd.registry+json")]
    public async Task A_content_type_that_is_JSON_or_absent_is_taken(string? contentType)
    {
        using HttpResponseMessage response =
            await _server.PostAsync(Encoding.UTF8.GetBytes(_device.Publication([1])), contentType);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
    }

    [Theory]
    [InlineData(true, 64 * 1024)]
    [InlineData(false, 64 * 1024)]
    [InlineData(true, 16 * 1024 * 1024)]
    [InlineData(false, 16 * 1024 * 1024)]
    public async Task A_body_over_the_limit_is_413_and_the_client_can_read_it(bool lengthIsSaid, int payloadBytes)
    {
        byte[] body = Encoding.UTF8.GetBytes(_device.Publication(new byte[payloadBytes]));
        using HttpResponseMessage response = await _server.SendAsync(HttpMethod.Post, "v0/keypackage", request =>
        {
            request.Content = new ByteArrayContent(body);
            request.Headers.TransferEncodingChunked = !lengthIsSaid;
        });
        await ProblemAssert.IsProblemAsync(HttpStatusCode.RequestEntityTooLarge, response);
        Assert.Equal(0, _server.Scalar("SELECT count(*) FROM bundle"));
    }

    [Fact]
    public async Task A_body_of_exactly_the_limit_is_taken()
    {
        string body = _device.Publication(new byte[40_000]);
        using HttpResponseMessage response = await _server.PostAsync(body.PadRight(64 * 1024));
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        using HttpResponseMessage over = await _server.PostAsync(body.PadRight((64 * 1024) + 1));
        await ProblemAssert.IsProblemAsync(HttpStatusCode.RequestEntityTooLarge, over);
    }

    [Fact]
    public async Task The_limit_of_the_body_can_be_configured()
    {
        await using RegistryServer roomy = await RegistryServer.StartAsync(way, ("MaxBodyBytes", "4194304"));
        byte[] payload = Device.RandomPayload(2 * 1024 * 1024);
        using HttpResponseMessage response = await roomy.PublishAsync(_device, payload);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        await roomy.AssertServesAsync(_device, payload);
    }

    [Fact]
    public async Task A_body_over_another_limit_that_is_set_is_413()
    {
        await using RegistryServer strict = await RegistryServer.StartAsync(way, ("MaxBodyBytes", "2000"));
        string body = _device.Publication([1]);
        using HttpResponseMessage over = await strict.PostAsync(body.PadRight(2_001));
        string detail = await ProblemAssert.IsProblemAsync(HttpStatusCode.RequestEntityTooLarge, over);
        Assert.Equal("body: must be at most 2000 bytes", detail);
        using HttpResponseMessage atLimit = await strict.PostAsync(body.PadRight(2_000));
        Assert.Equal(HttpStatusCode.NoContent, atLimit.StatusCode);
    }

    [Fact]
    public async Task Unknown_members_are_ignored()
    {
        string body = _device.Publication([1, 2, 3]);
        using HttpResponseMessage response = await _server.PostAsync($"{{\"v\":[{{}}],{body[1..^1]},\"x\":null}}");
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        await _server.AssertServesAsync(_device, [1, 2, 3]);
    }

    [Fact]
    public async Task An_empty_payload_is_legal()
    {
        using HttpResponseMessage response = await _server.PublishAsync(_device, []);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        await _server.AssertServesAsync(_device, []);
    }

    [Fact]
    public async Task Hex_of_either_case_is_one_device()
    {
        string upper = Device.Json(_device.Hex.ToUpperInvariant(), [1], _device.Sign([1]));
        using HttpResponseMessage response = await _server.PostAsync(upper);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        await _server.AssertServesAsync(_device, [1]);
        using HttpResponseMessage byUpper = await _server.GetAsync(_device.Hex.ToUpperInvariant());
        Assert.Equal([1], await Fetched.PayloadAsync(byUpper, _device));
        Assert.Equal(1, _server.Scalar("SELECT count(DISTINCT device) FROM bundle"));
    }

    [Fact]
    public async Task A_body_in_many_small_pieces_is_read_whole()
    {
        byte[] payload = Device.RandomPayload(30_000);
        byte[] body = Encoding.UTF8.GetBytes(_device.Publication(payload));
        using var client = new TcpClient();
        client.NoDelay = true;
        await client.ConnectAsync(_server.Url.Host, _server.Url.Port);
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /v0/keypackage HTTP/1.1\r\nHost: x\r\nContent-Length: {body.Length}\r\n\r\n"));
        foreach (byte[] piece in body.Chunk(997))
        {
            await stream.WriteAsync(piece);
        }

        using var reader = new StreamReader(stream, Encoding.ASCII);
        Assert.Equal("HTTP/1.1 204 No Content", await reader.ReadLineAsync());
        await _server.AssertServesAsync(_device, payload);
    }

    [Fact]
    public async Task Forty_concurrent_publishes_for_one_device_are_all_204_and_nothing_is_logged_at_warning()
    {
        HttpStatusCode[] statuses = await Task.WhenAll(Enumerable.Range(0, 40).Select(async i =>
        {
            string body = _device.Publication([(byte)i]);
            string cased = i % 2 == 0 ? body : body.Replace(_device.Hex, _device.Hex.ToUpperInvariant(), StringComparison.Ordinal);
            using HttpResponseMessage response = await _server.PostAsync(cased);
            return response.StatusCode;
        }));
        Assert.All(statuses, status => Assert.Equal(HttpStatusCode.NoContent, status));
        Assert.Equal(5, _server.Scalar("SELECT count(*) FROM bundle"));
        Assert.Equal(1, _server.Scalar("SELECT count(DISTINCT device) FROM bundle"));
        await _server.AssertStopsWithoutWarningsAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    public async Task An_empty_content_type_is_415(string contentType)
    {
        using HttpResponseMessage response = await _server.SendAsync(HttpMethod.Post, "v0/keypackage", request =>
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(_device.Publication([1])));
            request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        });
        await ProblemAssert.IsProblemAsync(HttpStatusCode.UnsupportedMediaType, response);
    }

    [Fact]
    public async Task A_bad_request_changes_nothing()
    {
        using HttpResponseMessage good = await _server.PublishAsync(_device, [1]);
        using HttpResponseMessage bad = await _server.PostAsync(Device.Json(_device.Hex, [2], new byte[64]));
        Assert.Equal(HttpStatusCode.BadRequest, bad.StatusCode);
        await _server.AssertServesAsync(_device, [1]);
    }

    private Task<HttpResponseMessage> SendEncodedAsync(string encoding) =>
        _server.SendAsync(HttpMethod.Post, "v0/keypackage", request =>
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(_device.Publication([1])));
            request.Content.Headers.TryAddWithoutValidation("Content-Encoding", encoding);
        });

    private async Task RefusesAsync(string body, params string[] details)
    {
        using HttpResponseMessage response = await _server.PostAsync(body);
        string detail = await ProblemAssert.IsProblemAsync(HttpStatusCode.BadRequest, response);
        Assert.True(details.Any(expected => detail.StartsWith(expected, StringComparison.Ordinal)), detail);
        Assert.Equal(0, _server.Scalar("SELECT count(*) FROM bundle"));
    }

    public sealed class StandAlone() : RegisterTests(Way.StandAlone);

    public sealed class ThroughTheWorker() : RegisterTests(Way.Worker);

    public sealed class OnPostgres() : RegisterTests(Way.OnPostgres);
}
