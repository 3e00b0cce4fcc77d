using System.Net;
using System.Runtime.InteropServices;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>Where the database of the executable may lie: behind links, without rights, on other file systems, in a sandbox.</summary>
public sealed class DatabasePlaceTests : IDisposable
{
    private const string Sftp = "/usr/lib/openssh/sftp-server";

    // A seccomp filter (seccomp(2)) under which statx(2) is not permitted, as in older container runtimes. Then the program.
    private const string WithoutStatx =
        """
        my ($prctl, $statx) = (shift, shift);
        my $filter = pack "SCCL" x 4, 0x20,0,0,0, 0x15,0,1,$statx, 6,0,0,0x50001, 6,0,0,0x7fff0000;
        syscall($prctl, 38, 1, 0, 0, 0) == 0 and syscall($prctl, 22, 2, pack("S x6 P", 4, $filter)) == 0 and exec @ARGV;
        die;
        """;

    private readonly TestFolder _folder = new();

    private string Db => _folder.File("registry.db");

    public void Dispose()
    {
        Shell.Run("chmod", "-R", "u+rwx", _folder.Path);
        _folder.Dispose();
    }

    [Theory]
    [InlineData("ln -s real/registry.db link.db", "link.db")]
    [InlineData("ln -s $PWD/real/registry.db link.db", "link.db")]
    [InlineData("ln -s real folder", "folder/registry.db")]
    [InlineData("ln -s real a; ln -s a b; ln -s b/registry.db c.db; ln -s c.db d.db", "d.db")]
    [InlineData("mkdir real/deep; ln -s real/deep folder", "folder/../registry.db")]
    public async Task A_database_behind_links_is_served_checked_and_backed_up(string links, string path)
    {
        Assert.Equal(0, Shell.Run("/bin/sh", "-c", $"cd {_folder.Path}; mkdir real; {links}"));
        string db = _folder.File(path);
        var device = new Device();
        await using (RegistryProcess server = RegistryProcess.StartAlone(db))
        {
            await server.ReadyAsync();
            await AssertPublishesAsync(server, device, [1]);
            await AssertSoundAsync(db);
            RegistryCommand backup = await RegistryCommand.RunAsync(["backup", _folder.File("backup.db"), "--db", db]);
            Assert.Matches("^Backed up 1 bundles", backup.Output);
            server.Kill();
            await server.ExitAsync();
        }

        // Without the log there is nothing in it.
        Assert.True(File.Exists(_folder.File("real/registry.db-wal")));
        await AssertSoundAsync(db);
        await using RegistryProcess again = RegistryProcess.StartAlone(_folder.File("real/registry.db"));
        await again.ReadyAsync();
        Assert.Equal([1], (await again.FetchAsync(device))!);
    }

    [Theory]
    [InlineData("true")]
    [InlineData("chmod a-w .")]
    [InlineData("chmod a-r .")]
    public async Task With_the_rights_it_needs_it_serves(string change)
    {
        await LeaveDatabaseWithLogAsync(change);
        await using RegistryProcess server = StartUnprivileged();
        await server.ReadyAsync();
        await AssertPublishesAsync(server, new Device(), [1]);
        server.Terminate();
        Assert.Equal(0, await server.ExitAsync());

        // What it could not remove does not hinder the next start.
        await using RegistryProcess again = StartUnprivileged();
        await again.ReadyAsync();
        await AssertPublishesAsync(again, new Device(), [1]);
    }

    [Theory]
    [InlineData("chmod a-w registry.db")]
    [InlineData("chmod a-w registry.db; rm registry.db-*")]
    [InlineData("chmod a-r registry.db")]
    [InlineData("chmod a-w registry.db-wal")]
    [InlineData("chmod a-r registry.db-wal")]
    [InlineData("chmod a-w registry.db-shm")]
    [InlineData("chmod a-r registry.db-shm; rm registry.db-wal")]
    [InlineData("rm registry.db-shm; chmod a-w .")]
    [InlineData("rm registry.db-*; chmod a-w .")]
    [InlineData("rm registry.db*; chmod a-w .")]
    [InlineData("chmod a-x .")]
    [InlineData("chmod a-w registry.db* .")]
    [InlineData("rm registry.db*; touch registry.db; chmod a-w registry.db")]
    [InlineData("chown 65534 registry.db; rm registry.db-*")]
    [InlineData("chown 65534 registry.db-wal registry.db-shm")]
    public async Task Without_a_right_that_it_needs_it_does_not_start(string change)
    {
        await LeaveDatabaseWithLogAsync(change);
        await using RegistryProcess server = StartUnprivileged();
        await AssertRefusedAsync(server, $"{Db}: can't be opened: let this user read and write");
    }

    [Fact]
    public async Task A_file_that_may_only_be_read_is_backed_up()
    {
        await LeaveDatabaseWithLogAsync("chmod a-w registry.db");
        await using RegistryProcess backup = StartUnprivileged("backup", _folder.File("backup.db"), "--db", Db);
        Assert.True(await backup.ExitAsync() == 0, backup.Errors);
        await AssertSoundAsync(_folder.File("backup.db"));
    }

    [Theory]
    [InlineData("true")]
    [InlineData("rm registry.db-*")]
    public async Task On_a_read_only_file_system_it_does_not_start(string change)
    {
        using var disk = new SmallDisk(1024);
        await LeaveDatabaseWithLogAsync($"{change}; cp registry.db* {disk.File("")}");
        disk.MakeReadOnly();
        await using RegistryProcess server = RegistryProcess.StartAlone(disk.File("registry.db"));
        await AssertRefusedAsync(server, $"{disk.File("registry.db")}: can't be opened: let this user read and write");
    }

    [Fact]
    public async Task A_file_system_on_which_locks_do_not_work_is_refused_unless_it_is_allowed()
    {
        string shared = _folder.File("shared");
        Directory.CreateDirectory(shared);
        string client = _folder.File("ssh");
        await File.WriteAllTextAsync(client, $"#!/bin/sh\nexec {Sftp}\n");
        Shell.Run("chmod", "+x", client);
        Assert.SkipUnless(
            File.Exists(Sftp) && File.Exists("/usr/bin/sshfs")
            && Shell.Run("sshfs", "-o", $"ssh_command={client}", $"here:{_folder.Path}", shared) == 0,
            "needs sshfs, openssh-sftp-server and the right to use /dev/fuse");
        try
        {
            string db = _folder.File("shared/registry.db");
            await using RegistryProcess refused = RegistryProcess.StartAlone(db);
            await AssertRefusedAsync(refused, $"{db}: is on fuse.sshfs, a network file system");
            Assert.False(File.Exists(db));
            await using RegistryProcess allowed = RegistryProcess.StartAlone(db, "--allow-network-fs");
            await allowed.ReadyAsync();
            await AssertPublishesAsync(allowed, new Device(), [1]);
            Assert.Contains($"warn: RegistryFunctions.Storage.Sqlite.SqliteBundleStore[25] {db} is on fuse.sshfs", allowed.Output, StringComparison.Ordinal);
            allowed.Terminate();
            Assert.Equal(0, await allowed.ExitAsync());
        }
        finally
        {
            Shell.Run("umount", "--lazy", shared);
        }
    }

    [Fact]
    public async Task A_sandbox_that_refuses_statx_does_not_make_the_file_removed()
    {
        (int prctl, int statx) = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? (167, 291) : (157, 332);
        string[] sandbox = ["-e", WithoutStatx, $"{prctl}", $"{statx}"];
        Assert.SkipUnless(
            OperatingSystem.IsLinux() && File.Exists("/usr/bin/perl") && Shell.Run("/usr/bin/perl", [.. sandbox, "true"]) == 0,
            "needs Linux, perl, and the right to filter system calls");
        await using RegistryProcess server = RegistryProcess.Start(
            "/usr/bin/perl", 0, [.. sandbox, RegistryProcess.Executable, "--bind", "127.0.0.1:0", "--db", Db]);
        await server.ReadyAsync();
        var device = new Device();
        await AssertPublishesAsync(server, device, [1]);

        File.Delete($"{Db}-wal");
        using HttpResponseMessage refused = await server.PublishAsync(device, [2]);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
    }

    // As a server leaves it that is killed; then something is changed.
    private async Task LeaveDatabaseWithLogAsync(string change)
    {
        await using (RegistryProcess server = RegistryProcess.StartAlone(Db))
        {
            await server.ReadyAsync();
            server.Kill();
            await server.ExitAsync();
        }

        Assert.SkipUnless(
            Shell.Run("/bin/sh", "-ec", $"cd {_folder.Path}; {change}") == 0, "needs root, which alone can give files away");
    }

    private RegistryProcess StartUnprivileged() => StartUnprivileged("--bind", "127.0.0.1:0", "--db", Db);

    // Root may read and write anything; without its capabilities it is a user like any other (capabilities(7)).
    private static RegistryProcess StartUnprivileged(params string[] arguments)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return RegistryProcess.Start(RegistryProcess.Executable, 0, arguments);
        }

        string[] asUser = ["--bounding-set=-all", "--inh-caps=-all"];
        Assert.SkipUnless(
            File.Exists("/usr/bin/setpriv") && Shell.Run("/usr/bin/setpriv", [.. asUser, "true"]) == 0,
            "needs setpriv, or another user than root");
        return RegistryProcess.Start("/usr/bin/setpriv", 0, [.. asUser, RegistryProcess.Executable, .. arguments]);
    }

    private static async Task AssertPublishesAsync(RegistryProcess server, Device device, byte[] payload)
    {
        using HttpResponseMessage published = await server.PublishAsync(device, payload);
        Assert.Equal(HttpStatusCode.NoContent, published.StatusCode);
    }

    private static async Task AssertSoundAsync(string db)
    {
        RegistryCommand check = await RegistryCommand.RunAsync(["check", db]);
        Assert.EndsWith(": all sound", check.Output, StringComparison.Ordinal);
        Assert.Equal(0, check.ExitCode);
    }

    private static async Task AssertRefusedAsync(RegistryProcess server, string reason)
    {
        // It is not served meanwhile, or this would wait for a minute.
        Assert.Equal(2, await server.ExitAsync());
        Assert.Contains(reason, server.Errors, StringComparison.Ordinal);
        Assert.Single(server.Errors.Split('\n'));
        Assert.Empty(server.Output);
    }
}
