using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;

namespace RegistryFunctions.Tests.Support;

/// <summary>What a process listens on, by Linux's /proc; elsewhere the test is skipped.</summary>
internal static class Listeners
{
    private const string ListenState = "0A";

    public static IReadOnlyList<IPEndPoint> Of(int process)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && BitConverter.IsLittleEndian, "needs Linux's /proc");
        HashSet<string> sockets =
        [
            .. Directory.GetFiles($"/proc/{process}/fd").Select(file => new FileInfo(file).LinkTarget ?? ""),
        ];
        return
        [
            .. from table in (string[])["tcp", "tcp6"]
               from line in File.ReadLines($"/proc/{process}/net/{table}").Skip(1)
               let fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)
               where fields[3] == ListenState && sockets.Contains($"socket:[{fields[9]}]")
               select EndPoint(fields[1]),
        ];
    }

    // Four bytes at a time in the machine's order, then the port.
    private static IPEndPoint EndPoint(string hex)
    {
        string[] parts = hex.Split(':');
        uint[] words = [.. parts[0].Chunk(8).Select(word => uint.Parse(word, NumberStyles.HexNumber, CultureInfo.InvariantCulture))];
        var address = new IPAddress(MemoryMarshal.AsBytes(words.AsSpan()));
        return new IPEndPoint(address, int.Parse(parts[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
    }
}
