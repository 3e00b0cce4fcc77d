using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Endurance;

/// <summary>Clients that hold a connection and send next to nothing. The web server's clock is the machine's.</summary>
[Collection(Suite.Name)]
public sealed class SlowClientTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact(Explicit = true)]
    public async Task Headers_and_bodies_that_do_not_come_are_cut_off_with_408()
    {
        await using RegistryProcess server = RegistryProcess.StartAlone(_folder.File("registry.db"));
        await server.ReadyAsync();
        Assert.Equal(408, (await AnswerAsync(server.Url, "GET / HTTP/1.1\r\nHost: x\r\nX: "))?.Status);
        HttpAnswer? body = await AnswerAsync(server.Url, "POST /v0/keypackage HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{");
        Assert.True(body is { Status: 408, IsProblem: true }, $"{body}");
        Assert.Empty(server.Errors);
    }

    private static async Task<HttpAnswer?> AnswerAsync(Uri url, string beginning)
    {
        using HttpConnection connection = await HttpConnection.OpenAsync(url);
        await connection.SendAsync(beginning);
        // No answer at all would come to this.
        return await connection.ReceiveAsync().WaitAsync(TimeSpan.FromSeconds(60));
    }
}
