using System.Globalization;
using System.Text;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Endurance;

/// <summary>All clients at once, as after an outage.</summary>
[Collection(Suite.Name)]
public sealed class BurstTests(ITestOutputHelper output) : IDisposable
{
    private const int Clients = 10_000;
    private const int FilesBeside = 500;

    // Some 12 KiB for each connection with its request, besides what the idle server has.
    private const int LargestMemoryKiB = 300 * 1024;

    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact(Explicit = true)]
    public async Task Ten_thousand_connections_that_publish_at_once_are_all_answered_with_204_or_503_and_then_204()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs Linux's /proc");
        Assert.SkipUnless(
            OpenFileLimit() >= Clients + FilesBeside, $"needs {Clients + FilesBeside} open files: raise ulimit -n");
        (Device Device, byte[] Request)[] clients =
        [
            .. Enumerable.Range(0, Clients).Select(_ => new Device()).Select(device => (device, RequestOf(device))),
        ];
        await using RegistryProcess server = RegistryProcess.StartAlone(_folder.File("registry.db"));
        await server.ReadyAsync();
        int[] refusals = await Task.WhenAll(clients.Select(client => PublishAsync(server.Url, client.Request)));
        long peak = PeakMemoryKiB(server.Id);
        output.WriteLine($"{refusals.Sum()} times 503 on the way; at most {peak} KiB resident");
        Assert.InRange(peak, 0, LargestMemoryKiB);
        Assert.Empty(server.Errors);
        foreach ((Device device, _) in clients.Take(100))
        {
            Assert.Equal([1], (await server.FetchAsync(device))!);
        }

        using var database = new Database(_folder.File("registry.db"));
        Assert.Equal(Clients, database.Scalar<long>("SELECT count(DISTINCT device) FROM bundle"));
    }

    // Returns how often it was told to try again.
    private static async Task<int> PublishAsync(Uri url, byte[] request)
    {
        using HttpConnection connection = await HttpConnection.OpenAsync(url);
        for (int refused = 0; ; refused++)
        {
            await connection.SendAsync(request);
            HttpAnswer? answer = await connection.ReceiveAsync();
            if (answer?.Status == 204)
            {
                return refused;
            }

            Assert.True(answer?.Status == 503, $"{answer}");
            int seconds = int.Parse(answer.Headers["Retry-After"], CultureInfo.InvariantCulture);
            await Task.Delay(TimeSpan.FromSeconds(seconds));
        }
    }

    private static byte[] RequestOf(Device device)
    {
        string body = device.Publication([1]);
        return Encoding.ASCII.GetBytes(
            $"POST /v0/keypackage HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");
    }

    private static long OpenFileLimit() => NumberAfter("/proc/self/limits", "Max open files");

    private static long PeakMemoryKiB(int process) => NumberAfter($"/proc/{process}/status", "VmHWM:");

    private static long NumberAfter(string file, string label)
    {
        string line = File.ReadLines(file).Single(line => line.StartsWith(label, StringComparison.Ordinal));
        return long.Parse(line[label.Length..].Split(' ', '\t').First(word => word.Length > 0), CultureInfo.InvariantCulture);
    }
}
