using System.Text;

namespace RegistryFunctions.Benchmarks;

/// <summary>HTTP requests in a file, all of one size in bytes. They are sent in their order, made once and kept.</summary>
internal sealed record Requests(string Path, int Size, int Count, bool MayRepeat)
{
    public const int LikelyMostPerSecond = 20_000;
    private const int Draws = 1_000_000;

    public static string Folder { get; } = Directory.CreateDirectory(Repository.File("artifacts", "bench-data")).FullName;

    /// <summary>The number of the first that has not been sent.</summary>
    public int Next { get; private set; }

    /// <summary>How many have been answered.</summary>
    public long Answered { get; private set; }

    /// <summary>Publishes, each of another device that is in no database: more than a server can take in the time.</summary>
    public static Requests PublishesFor(int seconds, bool mayRepeat = false)
    {
        string path = System.IO.Path.Combine(Folder, "publishes");
        int count = LikelyMostPerSecond * seconds;
        int size = Publish().Length;
        using FileStream file = File.Open(path, FileMode.OpenOrCreate);
        int present = (int)(file.Length / size);
        // A run that was broken off may have left a part of one.
        file.Position = (long)present * size;
        foreach (int[] missing in Enumerable.Range(0, int.Max(0, count - present)).Chunk(10_000))
        {
            file.Write(Encoding.ASCII.GetBytes(string.Concat(missing.AsParallel().Select(_ => Publish()))));
        }

        return new Requests(path, size, count, mayRepeat);
    }

    /// <summary>Writes fetches of devices drawn at random.</summary>
    public static void WriteFetches(string path, string[] devices) =>
        File.WriteAllText(path, string.Concat(Random.Shared.GetItems(devices, Draws).Select(
            device => $"GET /v0/keypackage/{device} HTTP/1.1\r\nHost: registry\r\n\r\n")));

    /// <summary>The fetches that were written there.</summary>
    public static Requests Fetches(string path) => new(path, (int)(new FileInfo(path).Length / Draws), Draws, MayRepeat: true);

    /// <summary>The same, of which that one is sent first.</summary>
    public Requests From(int number) => this with { Next = number % Count };

    /// <summary>Goes on behind those that were sent: so many were answered, and so many more may have been.</summary>
    public void Sent(int answered, int lost)
    {
        Answered += answered;
        Next += answered + lost;
        if (Next > Count && !MayRepeat)
        {
            throw new IOException($"The server took all {Count:N0} publishes before the time was over: run with fewer --seconds.");
        }

        Next %= Count;
    }

    private static string Publish()
    {
        var device = new Device();
        byte[] payload = Device.RandomPayload();
        string signature = Convert.ToBase64String(device.Sign(payload));
        string body =
            $$"""{"device_id":"{{device.Hex}}","payload":"{{Convert.ToBase64String(payload)}}","signature":"{{signature}}"}""";
        device.Erase();
        return "POST /v0/keypackage HTTP/1.1\r\nHost: registry\r\n"
            + $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}";
    }
}
