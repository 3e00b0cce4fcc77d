using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using RegistryFunctions.Tests.Support;

[assembly: AssemblyFixture(typeof(PostgresClusterOfAll))]

namespace RegistryFunctions.Tests.Support;

/// <summary>
/// A PostgreSQL server of the tests' own, in a temporary folder, run by an unprivileged user as it refuses to be by root. Without
/// PostgreSQL the test is skipped.
/// </summary>
internal sealed class PostgresCluster : IDisposable
{
    /// <summary>Names a server to use instead, by a connection string of a user who may create schemas there.</summary>
    public const string Variable = "REGISTRY_POSTGRES";

    // Debian's package makes this user.
    private static readonly string[] AsUser =
        Environment.IsPrivilegedProcess ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];

    private readonly TestFolder _folder = new();
    private readonly int _port;

    public PostgresCluster()
        : this(data => ["initdb", "--auth=trust", "--username=registry", "--no-sync", "-D", data])
    {
    }

    private PostgresCluster(Func<string, string[]> create)
    {
        SkipWithoutPrograms();
        _port = FreePort();
        GiveFolder(_folder.Path);
        Run(create(Data));
        File.AppendAllText(Path.Combine(Data, "postgresql.conf"), string.Create(
            CultureInfo.InvariantCulture,
            $"port = {_port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 400\n"));
        Start();
    }

    /// <summary>The server that tests share who do not stop it.</summary>
    public static string Shared => Environment.GetEnvironmentVariable(Variable) ?? PostgresClusterOfAll.ConnectionString;

    public string ConnectionString =>
        string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={_port};Username=registry;Database=postgres");

    /// <summary>Its address and port.</summary>
    public string Host => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_port}");

    /// <summary>The folder of its files.</summary>
    public string Data => _folder.File("data");

    /// <summary>A server that follows this one, and takes over when it is promoted.</summary>
    public PostgresCluster Standby() => new(data =>
    [
        "pg_basebackup", "-R", "-D", data, "-c", "fast", "--no-sync", "-d",
        string.Create(CultureInfo.InvariantCulture, $"host=127.0.0.1 port={_port} user=registry"),
    ]);

    /// <summary>Makes a standby the primary.</summary>
    public void Promote() => Run("pg_ctl", "promote", "-w", "-s", "-D", Data);

    public void Start() => Run("pg_ctl", "start", "-w", "-s", "-D", Data, "-l", _folder.File("log"));

    /// <summary>As by kill -9: what was not durable is lost.</summary>
    public void StopImmediately() => Run("pg_ctl", "stop", "-w", "-s", "-m", "immediate", "-D", Data);

    /// <summary>Takes over what was changed in the configuration.</summary>
    public void Configure(string setting)
    {
        File.AppendAllText(Path.Combine(Data, "postgresql.conf"), setting + "\n");
        Run("pg_ctl", "reload", "-s", "-D", Data);
    }

    /// <summary>Lets the server use a folder.</summary>
    public static void GiveFolder(string path)
    {
        if (Environment.IsPrivilegedProcess)
        {
            Assert.Equal(0, Shell.Run("chown", "postgres", path));
        }
    }

    /// <summary>Lets a user in by password only.</summary>
    public void RequirePasswordOf(string user)
    {
        string file = Path.Combine(Data, "pg_hba.conf");
        File.WriteAllText(file, $"host all {user} 127.0.0.1/32 scram-sha-256\n{File.ReadAllText(file)}");
        Run("pg_ctl", "reload", "-s", "-D", Data);
    }

    public void Dispose()
    {
        TryRun("pg_ctl", "stop", "-w", "-s", "-m", "immediate", "-D", Data);
        _folder.Dispose();
    }

    private static void SkipWithoutPrograms() => Assert.SkipUnless(
        Programs() is not null,
        $"needs PostgreSQL (on Debian: apt install postgresql), or {Variable} with the connection string of a server");

    private static string? Programs()
    {
        const string Debian = "/usr/lib/postgresql";
        string[] newest = Directory.Exists(Debian) ? [.. Directory.GetDirectories(Debian).Order(StringComparer.Ordinal).Reverse()] : [];
        return newest.Select(version => Path.Combine(version, "bin"))
            .Concat(Environment.GetEnvironmentVariable("PATH")!.Split(Path.PathSeparator))
            .FirstOrDefault(folder => File.Exists(Path.Combine(folder, "initdb")) && File.Exists(Path.Combine(folder, "pg_ctl")));
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static void Run(params string[] command)
    {
        (int code, string output) = TryRun(command);
        Assert.True(code == 0, output);
    }

    private static (int Code, string Output) TryRun(params string[] command)
    {
        string[] whole = [.. AsUser, Path.Combine(Programs()!, command[0]), .. command[1..]];
        // Its folder must be one that the other user may be in. The server that it starts must not keep the pipes open.
        var start = new ProcessStartInfo("sh", ["-c", "exec \"$@\" > /dev/null 2> /dev/null", "sh", .. whole]) { WorkingDirectory = "/" };
        using Process process = Process.Start(start)!;
        process.WaitForExit();
        return (process.ExitCode, string.Join(' ', whole));
    }
}

/// <summary>The cluster that tests share: started when the first one asks, stopped at the end of the run.</summary>
public sealed class PostgresClusterOfAll : IDisposable
{
    private static readonly Lazy<PostgresCluster> Cluster = new(() => new PostgresCluster());

    internal static string ConnectionString => Cluster.Value.ConnectionString;

    /// <summary>Stops it.</summary>
    public void Dispose()
    {
        if (Cluster.IsValueCreated)
        {
            Cluster.Value.Dispose();
        }
    }
}
