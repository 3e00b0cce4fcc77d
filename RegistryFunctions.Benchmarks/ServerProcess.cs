using System.Diagnostics;

namespace RegistryFunctions.Benchmarks;

/// <summary>A server in a process of its own, on a loopback port of its own.</summary>
internal sealed class ServerProcess(Process process, Uri url) : IAsyncDisposable
{
    private const string ServingOn = "Serving on ";

    public Uri Url => url;

    /// <summary>The time that the processors have worked for it so far.</summary>
    public TimeSpan ProcessorTime => process.TotalProcessorTime;

    /// <summary>Resident memory now, in megabytes (2^20).</summary>
    public double Megabytes => Process.GetProcessById(process.Id).WorkingSet64 / (1_024.0 * 1_024.0);

    /// <summary>Starts a server and waits until it says that it listens.</summary>
    public static async Task<ServerProcess> StartAsync(string[] command, string? db = null, int retentionDays = 30)
    {
        Process process = Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardOutput = true,
            Environment =
            {
                ["Logging__LogLevel__Default"] = "Information",
                ["Registry__Bind"] = "127.0.0.1:0",
                ["Registry__Db"] = db ?? "none.db",
                ["Registry__RetentionDays"] = $"{retentionDays}",
            },
        })!;
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.IndexOf(ServingOn, StringComparison.Ordinal) is >= 0 and int at)
            {
                _ = process.StandardOutput.ReadToEndAsync();
                return new ServerProcess(process, new Uri(line[(at + ServingOn.Length)..line.IndexOf(',', at)]));
            }
        }

        throw new IOException($"{command[0]} has ended before it was serving.");
    }

    /// <summary>Lets it have no more than a share of one processor. Needs Linux's cgroups, and root.</summary>
    public void Hold(int percent)
    {
        const string V1 = "/sys/fs/cgroup/cpu";
        string group = Directory.CreateDirectory(Path.Combine(Directory.Exists(V1) ? V1 : "/sys/fs/cgroup", $"registry-{process.Id}")).FullName;
        File.WriteAllText(Path.Combine(group, Directory.Exists(V1) ? "cpu.cfs_quota_us" : "cpu.max"), $"{percent * 1_000}");
        File.WriteAllText(Path.Combine(group, "cgroup.procs"), $"{process.Id}");
    }

    public async ValueTask DisposeAsync()
    {
        Shell.Signal("TERM", process.Id);
        await process.WaitForExitAsync();
        process.Dispose();
    }
}
