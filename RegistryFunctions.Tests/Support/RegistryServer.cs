using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using RegistryFunctions.Tests.Storage;

namespace RegistryFunctions.Tests.Support;

/// <summary>The real registry on a real socket with a real file, which clients reach in one of the two ways.</summary>
internal abstract class RegistryServer : IAsyncDisposable
{
    private static readonly HttpClient Http = new();

    private readonly TestFolder _folder = new();
    private readonly PostgresData? _postgres;

    /// <param name="settings">By their names in RegistryOptions.</param>
    /// <param name="onPostgres">Whether its data is there, unless the settings name another database.</param>
    protected RegistryServer((string Name, string Value)[] settings, bool onPostgres = false)
    {
        _postgres = onPostgres ? new PostgresData() : null;
        Settings = new Dictionary<string, string>
        {
            ["Bind"] = "127.0.0.1:0",
            ["Db"] = _postgres?.ConnectionString ?? _folder.File("registry.db"),
        };
        foreach ((string name, string value) in settings)
        {
            Settings[name] = value;
        }
    }

    public abstract Uri Url { get; }

    public string Db => Settings["Db"];

    protected Dictionary<string, string> Settings { get; }

    /// <summary>
    /// Starts it, and waits until it has done what it does at its start. The worker is the built or published one in a process of
    /// its own; where a test must hold the clock or replace a part, <see cref="HostedRegistry"/> runs it in the tests' process.
    /// </summary>
    public static async Task<RegistryServer> StartAsync(Way way, params (string Name, string Value)[] settings) =>
        way == Way.Worker
            ? await WorkerRegistry.StartAsync(settings)
            : await HostedRegistry.StartAsync(way, settings);

    /// <summary>Shuts it down cleanly and starts it anew on the same file.</summary>
    public abstract Task RestartAsync();

    /// <summary>Shuts it down cleanly and returns all that it has logged.</summary>
    public abstract Task<IReadOnlyList<LogLine>> StopAsync();

    /// <summary>Shuts it down cleanly and asserts that it has logged nothing that an operator would have to look at.</summary>
    public async Task AssertStopsWithoutWarningsAsync() =>
        Assert.DoesNotContain(await StopAsync(), line => line.Level >= LogLevel.Warning);

    /// <summary>Shuts it down cleanly, asserts that it has logged one line at Warning or above, and returns that.</summary>
    public async Task<LogLine> StopWithOneWarningAsync() =>
        Assert.Single(await StopAsync(), line => line.Level >= LogLevel.Warning);

    public Task<HttpResponseMessage> PostAsync(string json) => PostAsync(Encoding.UTF8.GetBytes(json), "application/json");

    public Task<HttpResponseMessage> PostAsync(byte[] body, string? contentType)
    {
        var content = new ByteArrayContent(body);
        content.Headers.ContentType = contentType is null ? null : MediaTypeHeaderValue.Parse(contentType);
        return Http.PostAsync(new Uri(Url, "v0/keypackage"), content);
    }

    public Task<HttpResponseMessage> PublishAsync(Device device, ReadOnlySpan<byte> payload) =>
        PostAsync(device.Publication(payload));

    public Task<HttpResponseMessage> GetAsync(string id) => SendAsync(HttpMethod.Get, $"v0/keypackage/{id}");

    public Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, Action<HttpRequestMessage>? with = null)
    {
        var request = new HttpRequestMessage(method, new Uri(Url, path));
        with?.Invoke(request);
        return Http.SendAsync(request);
    }

    /// <summary>The payload that a contact fetches, after verifying it as a contact must; null for 404.</summary>
    public async Task<byte[]?> FetchAsync(Device device)
    {
        using HttpResponseMessage response = await GetAsync(device.Hex);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await Fetched.PayloadAsync(response, device);
    }

    /// <summary>Asserts that a contact fetches this payload.</summary>
    public async Task AssertServesAsync(Device device, byte[] payload) => Assert.Equal(payload, await FetchAsync(device));

    /// <summary>A single value out of the database, read beside the running registry.</summary>
    public long Scalar(string sql)
    {
        if (_postgres is not null)
        {
            return _postgres.Scalar<long>(sql);
        }

        using var database = new Database(Db);
        return database.Scalar<long>(sql);
    }

    /// <summary>The payloads of the only device, in hex, in order of acceptance.</summary>
    public string Payloads()
    {
        if (_postgres is not null)
        {
            return _postgres.Scalar<string>("SELECT upper(string_agg(encode(payload, 'hex'), ',' ORDER BY seq)) FROM bundle");
        }

        using var database = new Database(Db);
        return database.Scalar<string>("SELECT group_concat(hex(payload)) FROM (SELECT payload FROM bundle ORDER BY seq)");
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        await (_postgres?.DisposeAsync() ?? default);
        _folder.Dispose();
    }

    protected abstract Task EndAsync();
}

/// <summary>What a contact does with an answer.</summary>
internal static class Fetched
{
    public static async Task<byte[]> PayloadAsync(HttpResponseMessage response, Device device)
    {
        using JsonDocument json = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync());
        byte[] payload = json.RootElement.GetProperty("payload").GetBytesFromBase64();
        byte[] signature = json.RootElement.GetProperty("signature").GetBytesFromBase64();
        Assert.Equal(device.Sign(payload), signature);
        return payload;
    }
}
