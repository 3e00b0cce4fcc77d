using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Endurance;

/// <summary>More than a hundred thousand malformed requests, and a server that goes on serving.</summary>
[Collection(Suite.Name)]
public sealed class FuzzTests(ITestOutputHelper output) : IDisposable
{
    private const int Lanes = 8;
    private const int BatchesPerLane = 650;
    private const int Pipelined = 30;
    private const int OnTheWirePerBatch = 2;

    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(200);
    private static readonly byte[] LastRequest = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"u8.ToArray();

    private readonly TestFolder _folder = new();
    private readonly ConcurrentDictionary<Submitted, bool> _signed = [];
    private readonly ConcurrentDictionary<int, int> _statuses = [];

    public void Dispose() => _folder.Dispose();

    [Fact(Explicit = true)]
    public async Task A_hundred_thousand_malformed_requests_are_all_refused_in_good_form_and_serving_goes_on()
    {
        int seed = Seed.Of(output);
        string db = _folder.File("registry.db");
        await using RegistryProcess server = RegistryProcess.StartAlone(db, "--max-per-identity", "1000");
        await server.ReadyAsync();
        await Task.WhenAll(Enumerable.Range(0, Lanes).Select(lane => Task.Run(() => FuzzAsync(server.Url, new Random(seed + lane)))));

        output.WriteLine(string.Join(", ", _statuses.OrderBy(pair => pair.Key).Select(pair => $"{pair.Value} × {pair.Key}")));
        Assert.InRange(_statuses.Where(pair => pair.Key >= 400).Sum(pair => pair.Value), 100_000, int.MaxValue);
        Assert.Empty(server.Errors);
        AssertHoldsOnlyWhatWasSigned(db);
        var device = new Device();
        using HttpResponseMessage published = await server.PublishAsync(device, [1]);
        Assert.Equal(HttpStatusCode.NoContent, published.StatusCode);
        Assert.Equal([1], (await server.FetchAsync(device))!);
    }

    private async Task FuzzAsync(Uri url, Random random)
    {
        var mutations = new Mutations(random);
        FuzzRequest[] good = [.. Enumerable.Range(0, 6).SelectMany(_ => GoodRequests(random))];
        for (int batch = 0; batch < BatchesPerLane; batch++)
        {
            await PipelineAsync(url, [.. Enumerable.Range(0, Pipelined).Select(_ => mutations.InTheApp(Any(good, random)))]);
            for (int i = 0; i < OnTheWirePerBatch; i++)
            {
                await OnTheWireAsync(url, mutations.OnTheWire(Any(good, random)));
            }
        }
    }

    // All requests at once, then all answers, in their order.
    private async Task PipelineAsync(Uri url, FuzzRequest[] requests)
    {
        using HttpConnection connection = await HttpConnection.OpenAsync(url);
        Task sent = connection.SendAsync(requests.SelectMany(request => request.ToBytes()).ToArray());
        foreach (FuzzRequest request in requests)
        {
            HttpAnswer? answer = await connection.ReceiveAsync();
            while (answer?.Status == 100)
            {
                answer = await connection.ReceiveAsync();
            }

            string exchange = $"{Encoding.Latin1.GetString(request.ToBytes())}\n→ {answer}";
            Assert.True(answer is not null && answer.Status < 500, exchange);
            Assert.True(answer.Status < 400 || answer.IsProblem, exchange);
            if (answer.Status == 204 && request.Method == "POST")
            {
                Assert.True(SubmissionOracle.Read(request.Body) is { } submitted && _signed.ContainsKey(submitted), exchange);
            }

            Count(answer);
        }

        await sent;
    }

    // One request that may be none: whatever comes back until the server closes is HTTP.
    private async Task OnTheWireAsync(Uri url, byte[] bytes)
    {
        string exchange = Encoding.Latin1.GetString(bytes);
        using HttpConnection connection = await HttpConnection.OpenAsync(url);
        try
        {
            // Where the server still reads requests after it, it closes after this one.
            await connection.SendAsync(bytes.Concat(LastRequest).ToArray());
            while (await NextOfAsync(connection) is { } answer)
            {
                Assert.True(answer.Status < 500 || answer is { Status: 505, IsBare: true }, $"{exchange}\n→ {answer}");
                Assert.True(answer.Status < 400 || answer.IsProblem || answer.IsBare, $"{exchange}\n→ {answer}");
                Count(answer);
            }
        }
        catch (SocketException)
        {
            // Closed with bytes unread, a connection is reset (RFC 9112, section 9.6), and the answer may be lost.
        }
    }

    // A server that waits for the rest of a body is told that there is none.
    private static async Task<HttpAnswer?> NextOfAsync(HttpConnection connection)
    {
        Task<HttpAnswer?> next = connection.ReceiveAsync();
        if (await Task.WhenAny(next, Task.Delay(Patience)) != next)
        {
            connection.EndSending();
        }

        return await next;
    }

    private void Count(HttpAnswer answer) => _statuses.AddOrUpdate(answer.Status, 1, (_, count) => count + 1);

    private IEnumerable<FuzzRequest> GoodRequests(Random random)
    {
        var device = new Device();
        byte[] payload = new byte[random.Next(200)];
        random.NextBytes(payload);
        _signed[new Submitted(
            device.Hex.ToUpperInvariant(), Convert.ToHexString(payload), Convert.ToHexString(device.Sign(payload)))] = true;
        string[] headers = ["Host: registry.example", "Content-Type: application/json"];
        yield return new FuzzRequest("POST", "/v0/keypackage", headers, Encoding.ASCII.GetBytes(device.Publication(payload)));
        yield return new FuzzRequest("GET", $"/v0/keypackage/{device.Hex}", ["Host: registry.example", "If-None-Match: \"x\""], []);
    }

    private void AssertHoldsOnlyWhatWasSigned(string db)
    {
        using var database = new Database(db);
        foreach (string row in database.Column("SELECT hex(device) || ' ' || hex(payload) || ' ' || hex(signature) FROM bundle"))
        {
            string[] parts = row.Split(' ');
            Assert.Contains(new Submitted(parts[0], parts[1], parts[2]), _signed.Keys);
        }
    }

    private static T Any<T>(T[] choices, Random random) => choices[random.Next(choices.Length)];
}
