using Microsoft.Extensions.Logging;
using RegistryFunctions.Hosting;
using RegistryFunctions.Settings;
using RegistryFunctions.Storage;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

/// <summary>Where a database may lie.</summary>
public sealed class DatabasePathTests : IDisposable
{
    // What a container with a few volumes sees, abridged. The last hides the one before it.
    private const string Mounts =
        """
        22 27 0:21 / /proc rw,relatime - proc proc rw
        27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
        31 27 0:40 / /srv rw shared:7 master:1 - xfs /dev/vdb rw
        40 31 0:41 /a /srv/share rw,nosuid shared:8 - nfs4 server:/a rw
        41 31 0:42 / /srv/with\040a\134space rw - fuse.sshfs user@host: rw,user_id=0
        42 27 0:43 / /hidden/below rw - nfs server:/b rw
        43 27 0:44 / /hidden rw - tmpfs tmpfs rw
        44 43 0:45 / /hidden rw - btrfs /dev/vdc rw

        """;

    private readonly TestFolder _folder = new();
    private readonly LogCollector _logs = new();

    public void Dispose()
    {
        _logs.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Missing_folders_are_created()
    {
        string db = _folder.File("a/b/c.db");
        Assert.Equal(db, Prepare(db));
        Assert.True(Directory.Exists(_folder.File("a/b")));
        Assert.False(File.Exists(db));
        Assert.Empty(_logs.Lines);
    }

    [Theory]
    [InlineData("")]
    [InlineData("new/")]
    public void A_folder_is_refused(string path) => Assert.Contains(
        "is a folder: name a file in it", Refusal(() => Prepare(_folder.File(path))), StringComparison.Ordinal);

    [Fact]
    public void A_path_under_a_file_is_refused()
    {
        File.WriteAllText(_folder.File("file"), "");
        Assert.Contains("folder can't be created", Refusal(() => Prepare(_folder.File("file/x.db"))), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_must_exist_and_does_not_is_refused() => Assert.Contains(
        "there is no such file", Refusal(() => DatabasePath.Find(_folder.File("x.db"))), StringComparison.Ordinal);

    [Fact]
    public void Links_are_followed_whether_or_not_the_file_exists()
    {
        Directory.CreateDirectory(_folder.File("real/deep"));
        Link("folder", "real");
        Link("real/up", "../folder/deep/./");
        Link("absolute", _folder.File("real/up"));
        Link("file.db", "absolute/../x.db");
        string relative = Path.GetRelativePath(Environment.CurrentDirectory, _folder.Path);
        foreach (string path in (string[])["real/x.db", "folder/x.db", "real/up/../x.db", "absolute/.././x.db", "file.db", "none/../file.db"])
        {
            Assert.Equal(_folder.File("real/x.db"), RealPath.Of(_folder.File(path)));
            Assert.Equal(_folder.File("real/x.db"), RealPath.Of(Path.Join(relative, path)));
        }

        Assert.Equal("/", RealPath.Of("/../.."));
    }

    [Fact]
    public void A_loop_of_links_is_refused()
    {
        Link("a", "b");
        Link("b", "a");
        Assert.Contains("symbolic links", Refusal(() => Prepare(_folder.File("a/x.db"))), StringComparison.Ordinal);
        Assert.Contains("symbolic links", Refusal(() => DatabasePath.Find(_folder.File("b"))), StringComparison.Ordinal);
    }

    [Fact]
    public void A_link_into_the_program_s_own_folder_is_no_way_around_its_refusal()
    {
        Link("program", AppContext.BaseDirectory);
        Assert.Throws<SettingException>(() => DataFolder.RefuseProgramFolder(_folder.File("program/registry.db")));
        DataFolder.RefuseProgramFolder(_folder.File("registry.db"));
    }

    [Theory]
    [InlineData("/", "ext4")]
    [InlineData("/sr", "ext4")]
    [InlineData("/srv", "xfs")]
    [InlineData("/srv/shared", "xfs")]
    [InlineData("/srv/share", "nfs4")]
    [InlineData("/srv/share/deep/er", "nfs4")]
    [InlineData(@"/srv/with a\space/x", "fuse.sshfs")]
    [InlineData("/hidden/below", "btrfs")]
    public void The_file_system_of_a_folder_is_the_one_mounted_above_it(string folder, string type) =>
        Assert.Equal(type, FileSystemType.Find(Mounts, folder));

    [Fact]
    public void Where_the_root_is_no_mount_the_list_may_not_tell()
    {
        const string InChroot = "42 27 0:43 / /data rw - nfs server:/b rw\n";
        Assert.Equal("nfs", FileSystemType.Find(InChroot, "/data"));
        Assert.Null(FileSystemType.Find(InChroot, "/home"));
    }

    [Theory]
    [InlineData("nfs")]
    [InlineData("nfs4")]
    [InlineData("cifs")]
    [InlineData("smb2")]
    [InlineData("smb3")]
    [InlineData("9p")]
    [InlineData("virtiofs")]
    [InlineData("ceph")]
    [InlineData("lustre")]
    [InlineData("fuse.sshfs")]
    [InlineData("fuse.glusterfs")]
    public void A_network_file_system_is_refused_or_where_allowed_warned_about(string type)
    {
        string refusal = Refusal(() => DatabasePath.CheckFileSystem("/x/y.db", type, allowNetworkFs: false, _logs));
        Assert.StartsWith($"/x/y.db: is on {type}, a network file system", refusal, StringComparison.Ordinal);
        Assert.Empty(_logs.Lines);
        DatabasePath.CheckFileSystem("/x/y.db", type, allowNetworkFs: true, _logs);
        AssertWarned(type);
    }

    [Theory]
    [InlineData("fuse")]
    [InlineData("fuse.mergerfs")]
    public void What_may_be_one_is_warned_about(string type)
    {
        DatabasePath.CheckFileSystem("/x/y.db", type, allowNetworkFs: false, _logs);
        AssertWarned(type);
    }

    [Theory]
    [InlineData("ext4")]
    [InlineData("tmpfs")]
    [InlineData("overlay")]
    [InlineData("fuseblk")]
    [InlineData(null)]
    public void A_local_one_is_taken_in_silence(string? type)
    {
        DatabasePath.CheckFileSystem("/x/y.db", type, allowNetworkFs: false, _logs);
        Assert.Empty(_logs.Lines);
    }

    private string Prepare(string path) => DatabasePath.Prepare(path, allowNetworkFs: false, _logs);

    private void Link(string name, string target) => File.CreateSymbolicLink(_folder.File(name), target);

    private static string Refusal(Action open)
    {
        string refusal = Assert.Throws<StoreOpenException>(open).Message;
        Assert.DoesNotContain('\n', refusal);
        return refusal;
    }

    private void AssertWarned(string type)
    {
        LogLine line = Assert.Single(_logs.Lines);
        Assert.Equal(LogLevel.Warning, line.Level);
        Assert.Contains($"/x/y.db is on {type}, where SQLite may lose data", line.Text, StringComparison.Ordinal);
    }
}
