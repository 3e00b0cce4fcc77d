using System.Net;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Contract;

/// <summary>Whatever happens: payloads are never logged, and device ids at Debug or below only.</summary>
public abstract class LogTests(Way way)
{
    private static readonly byte[] Secret = "a payload that is in no log"u8.ToArray();

    private readonly Device _device = new();

    [Fact]
    public async Task With_the_log_level_at_its_lowest_no_payload_is_logged_and_no_device_above_Debug()
    {
        await using HostedRegistry server = await HostedRegistry.StartAsync(
            way, with: builder => builder.Logging.SetMinimumLevel(LogLevel.Trace));
        await UseAsync(server);
        AssertNoPayload(server.Logs);
        Assert.DoesNotContain(
            server.Logs.Lines,
            line => line.Level > LogLevel.Debug && Shows(line, _device.Id.Span));
    }

    [Fact]
    public async Task With_all_that_the_framework_can_tell_no_payload_is_logged()
    {
        await using HostedRegistry server = await HostedRegistry.StartAsync(way, with: builder =>
            builder.Services.Configure<LoggerFilterOptions>(filter =>
            {
                filter.Rules.Clear();
                filter.MinLevel = LogLevel.Trace;
            }));
        await UseAsync(server);
        Assert.Contains(server.Logs.Lines, line => line.Level == LogLevel.Debug && Shows(line, _device.Id.Span));
        AssertNoPayload(server.Logs);
    }

    // Everything that ends differently: accepted, repeated, refused, fetched, faults.
    private async Task UseAsync(HostedRegistry server)
    {
        string publication = _device.Publication(Secret);
        await AnswersAsync(HttpStatusCode.NoContent, server.PostAsync(publication));
        await AnswersAsync(HttpStatusCode.NoContent, server.PostAsync(publication));
        await AnswersAsync(HttpStatusCode.OK, server.GetAsync(_device.Hex));
        await AnswersAsync(HttpStatusCode.NotFound, server.GetAsync(_device.Hex[1..]));
        await AnswersAsync(HttpStatusCode.NoContent, server.PublishAsync(_device, [.. Secret, 1]));
        await AnswersAsync(HttpStatusCode.Conflict, server.PostAsync(publication));
        await AnswersAsync(HttpStatusCode.BadRequest, server.PostAsync(Device.Json(_device.Hex, Secret, new byte[64])));
        await AnswersAsync(HttpStatusCode.BadRequest, server.PostAsync(publication[..^1]));
        await AnswersAsync(HttpStatusCode.UnsupportedMediaType, server.PostAsync(Encoding.UTF8.GetBytes(publication), "text/plain"));

        using var database = new Database(server.Db);
        database.Execute("CREATE TRIGGER bug BEFORE INSERT ON accepted BEGIN SELECT RAISE(ABORT, 'bug'); END");
        await AnswersAsync(HttpStatusCode.InternalServerError, server.PublishAsync(_device, [.. Secret, .. Secret]));
        database.Execute("UPDATE accepted SET checksum = 0");
        await AnswersAsync(HttpStatusCode.ServiceUnavailable, server.GetAsync(_device.Hex));
        File.Delete(server.Db);
        await AnswersAsync(HttpStatusCode.ServiceUnavailable, server.PublishAsync(_device, Secret));
        Assert.Equal(3, server.Logs.Lines.Count(line => line.Level >= LogLevel.Error));
    }

    private static async Task AnswersAsync(HttpStatusCode expected, Task<HttpResponseMessage> request)
    {
        using HttpResponseMessage response = await request;
        Assert.Equal(expected, response.StatusCode);
    }

    private static void AssertNoPayload(LogCollector logs) => Assert.DoesNotContain(
        logs.Lines,
        line => Shows(line, Secret) || line.Text.Contains(Encoding.ASCII.GetString(Secret), StringComparison.Ordinal));

    private static bool Shows(LogLine line, ReadOnlySpan<byte> bytes) =>
        line.Text.Contains(Convert.ToHexString(bytes), StringComparison.OrdinalIgnoreCase)
        || line.Text.Contains(Convert.ToBase64String(bytes), StringComparison.Ordinal);

    public sealed class StandAlone() : LogTests(Way.StandAlone);

    public sealed class ThroughTheWorker() : LogTests(Way.Worker);
}
