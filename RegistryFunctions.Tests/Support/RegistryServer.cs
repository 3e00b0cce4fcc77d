using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RegistryFunctions.Functions;
using RegistryFunctions.Hosting;

namespace RegistryFunctions.Tests.Support;

/// <summary>The real server on a real socket with a real file, its clock in the test's hands.</summary>
internal sealed class RegistryServer : IAsyncDisposable
{
    private static readonly HttpClient Http = new();

    private readonly TestFolder _folder = new();
    private readonly RegistryOptions _options;
    private readonly Action<WebApplicationBuilder>? _with;
    private WebApplication _app;

    private RegistryServer(Func<RegistryOptions, RegistryOptions>? configure, Action<WebApplicationBuilder>? with)
    {
        RegistryOptions options = RegistryOptions.FromConfiguration(new ConfigurationBuilder().Build()) with
        {
            Bind = new IPEndPoint(IPAddress.Loopback, 0),
            Db = _folder.File("registry.db"),
        };
        _options = configure?.Invoke(options) ?? options;
        _with = with;
        _app = Build();
    }

    public Clock Time { get; } = new();

    public LogCollector Logs { get; } = new();

    public string Db => _options.Db;

    public Uri Url => new(_app.Urls.Single());

    public static async Task<RegistryServer> StartAsync(
        Func<RegistryOptions, RegistryOptions>? configure = null, Action<WebApplicationBuilder>? with = null)
    {
        var server = new RegistryServer(configure, with);
        await server._app.StartAsync();
        return server;
    }

    /// <summary>Stops the server in good order and starts it anew on the same file.</summary>
    public async Task RestartAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        _app = Build();
        await _app.StartAsync();
    }

    public Task<string> PruneAsync() => _app.Services.GetRequiredService<Prune>().RunAsync(CancellationToken.None);

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

    /// <summary>A single value out of the database file, read beside the running server.</summary>
    public long Scalar(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Db};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
#pragma warning disable CA2100 // Constants of the tests.
        command.CommandText = sql;
#pragma warning restore CA2100
        return (long)command.ExecuteScalar()!;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        _folder.Dispose();
    }

    private WebApplication Build() => RegistryApp.Build(_options, host: null, Time, builder =>
    {
        builder.Logging.ClearProviders().AddProvider(Logs);
        _with?.Invoke(builder);
    });
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
