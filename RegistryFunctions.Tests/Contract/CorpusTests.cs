using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Contract;

/// <summary>
/// Requests that broke a server somewhere or a rule here, as bytes. The name of a file says what it shows and, before the
/// extension, which statuses answer it. The bundle in them is that of TEST 2 in RFC 8032, section 7.1.
/// </summary>
public abstract class CorpusTests(Way way)
{
    private const string Signed = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";

    // A Functions host that can't read a body to forward it answers 500 by itself.
    private static readonly string[] UnreadableBodies = ["chunked_and_a_content_length.400", "chunks_that_are_none.400"];

    public static TheoryData<string> Names { get; } =
        [.. Directory.GetFiles(Folder, "*.http").Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal)];

    private static string Folder => Repository.File("RegistryFunctions.Tests", "Endurance", "Corpus");

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Every_request_of_the_corpus_is_answered_as_its_name_says(string name)
    {
        await using HostedRegistry server = await HostedRegistry.StartAsync(way);
        using HttpConnection connection = await HttpConnection.OpenAsync(server.Url);
        await connection.SendAsync(await File.ReadAllBytesAsync(Path.Combine(Folder, $"{name}.http")));
        string expected = name[(name.LastIndexOf('.') + 1)..];
        var answers = new List<HttpAnswer>();
        if (way == Way.Worker && UnreadableBodies.Contains(name))
        {
            expected = "500";
        }

        foreach (string status in expected == "none" ? [] : expected.Split('-'))
        {
            answers.Add((await connection.ReceiveAsync().WaitAsync(TimeSpan.FromMinutes(1)))!);
            Assert.Equal(status, $"{answers[^1].Status}");
        }

        connection.EndSending();
        await AssertEndsAsync(connection);
        Assert.All(answers, answer => Assert.True(answer.Status < 400 || answer.IsProblem || answer.IsBare || expected == "500", $"{answer}"));
        using HttpResponseMessage served = await server.GetAsync(Signed);
        bool isStored = answers.Exists(answer => answer.Status == 204);
        Assert.Equal(isStored ? HttpStatusCode.OK : HttpStatusCode.NotFound, served.StatusCode);
        Assert.DoesNotContain(server.Logs.Lines, line => line.Level >= LogLevel.Warning);
    }

    private static async Task AssertEndsAsync(HttpConnection connection)
    {
        try
        {
            Assert.Null(await connection.ReceiveAsync().WaitAsync(TimeSpan.FromMinutes(1)));
        }
        catch (SocketException)
        {
            // Closed with bytes unread, a connection is reset (RFC 9112, section 9.6).
        }
    }

    public sealed class StandAlone() : CorpusTests(Way.StandAlone);

    public sealed class ThroughTheWorker() : CorpusTests(Way.Worker);

    public sealed class OnPostgres() : CorpusTests(Way.OnPostgres);
}
