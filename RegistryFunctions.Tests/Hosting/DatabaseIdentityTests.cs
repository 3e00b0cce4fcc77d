using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using RegistryFunctions.Tests.Storage;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>A managed identity, whose tokens come from an endpoint of the test's own as an app's do from its platform.</summary>
public sealed class DatabaseIdentityTests : IAsyncDisposable
{
    private const string ClientId = "11111111-2222-3333-4444-555555555555";

    private readonly PostgresCluster _cluster = new();
    private readonly PostgresData _data;

    public DatabaseIdentityTests()
    {
        _data = new PostgresData(server: _cluster.ConnectionString);
        _data.Execute("CREATE ROLE app LOGIN SUPERUSER PASSWORD 'a-token'");
        _cluster.RequirePasswordOf("app");
    }

    private string Db => _data.ConnectionString.Replace("Username=registry", "Username=app", StringComparison.Ordinal);

    public async ValueTask DisposeAsync()
    {
        await _data.DisposeAsync();
        _cluster.Dispose();
    }

    [Theory]
    [InlineData("system", null)]
    [InlineData(ClientId, ClientId)]
    public async Task An_identity_signs_in_with_its_token(string identity, string? clientId)
    {
        if (RegistryProcess.IsNative)
        {
            (await RegistryCommand.RunAsync(["--db", Db], settings: ("Registry__DbIdentity", identity)))
                .AssertRefused("Registry__DbIdentity: is not in the native executable");
            return;
        }

        await using WebApplication platform = await StartAsync("a-token", clientId);
        await using RegistryProcess server = Start(platform, identity);
        await server.ReadyAsync();
        var device = new Device();
        using HttpResponseMessage published = await server.PublishAsync(device, [1]);
        Assert.Equal([1], (await server.FetchAsync(device))!);
    }

    [Fact]
    public async Task A_token_that_is_not_let_in_is_refused_and_not_shown()
    {
        Assert.SkipWhen(RegistryProcess.IsNative, "the native executable has no identities");
        await using WebApplication platform = await StartAsync("another-token", clientId: null);
        await using RegistryProcess server = Start(platform, "system");
        Assert.Equal(2, await server.ExitAsync());
        Assert.Contains("password authentication failed", server.Errors, StringComparison.Ordinal);
        Assert.Single(server.Errors.Split('\n'));
        Assert.DoesNotContain("another-token", server.Errors + server.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("must be system, or the client id of a user-assigned identity", "me", null)]
    [InlineData("signs in without a password: leave Registry__DbPassword out", "system", "secret")]
    public async Task An_identity_that_makes_no_sense_is_refused(string reason, string identity, string? password)
    {
        (string, string)[] settings = [("Registry__DbIdentity", identity), .. password is null ? [] : new[] { ("Registry__DbPassword", password) }];
        (await RegistryCommand.RunAsync(["--db", Db], settings: settings)).AssertRefused($"Registry__DbIdentity: {reason}");
    }

    // https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
    private static async Task<WebApplication> StartAsync(string token, string? clientId)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        WebApplication platform = builder.Build();
        platform.MapGet("/token", (HttpRequest request) =>
        {
            Assert.Equal("only-for-the-app", request.Headers["X-IDENTITY-HEADER"]);
            Assert.Equal("https://ossrdbms-aad.database.windows.net", request.Query["resource"]);
            Assert.Equal(clientId, (string?)request.Query["client_id"]);
            string expires = DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
            return Results.Json(new Dictionary<string, string>
            {
                ["access_token"] = token,
                ["expires_on"] = expires,
                ["resource"] = "https://ossrdbms-aad.database.windows.net",
                ["token_type"] = "Bearer",
            });
        });
        await platform.StartAsync();
        return platform;
    }

    private RegistryProcess Start(WebApplication platform, string identity) => RegistryProcess.Start(
        RegistryProcess.Executable,
        0,
        ["--bind", "127.0.0.1:0", "--db", Db],
        environment: new Dictionary<string, string>
        {
            ["IDENTITY_ENDPOINT"] = $"{platform.Urls.First()}/token",
            ["IDENTITY_HEADER"] = "only-for-the-app",
            ["Registry__DbIdentity"] = identity,
        });
}
