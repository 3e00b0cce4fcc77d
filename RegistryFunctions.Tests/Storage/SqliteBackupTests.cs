using System.Runtime.Versioning;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Sqlite;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

/// <summary>What happens between the steps of a backup, and of a check.</summary>
public sealed class SqliteBackupTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public SqliteBackupTests()
    {
        SqliteFile.OpenForWriting(Db, SqliteSchema.Migrations).Dispose();
        using var database = new Database(Db);
        for (int i = 0; i < 20; i++)
        {
            Insert(database);
        }
    }

    private string Db => _folder.File("registry.db");

    private string Copy => _folder.File("backup.db");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_is_written_while_it_is_made_neither_begins_a_backup_anew_nor_gets_into_it()
    {
        using var database = new Database(Db);
        var shares = new List<double>();
        BackupContent content = SqliteBackup.Copy(
            Db,
            Copy,
            share =>
            {
                shares.Add(share);
                Assert.InRange(shares.Count, 1, 100);
                Insert(database);
            },
            CancellationToken.None);
        Assert.InRange(shares.Count, 4, 5);
        Assert.Equal(shares.Order(), shares);
        Assert.Equal(20, content.Bundles);
        Assert.Equal(20 + shares.Count, database.Scalar<long>("SELECT count(*) FROM bundle"));
        using var copy = new Database(Copy);
        Assert.Equal(20, copy.Scalar<long>("SELECT count(*) FROM bundle"));
        Assert.Equal("ok", copy.Scalar<string>("PRAGMA integrity_check"));
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void A_backup_has_no_name_before_it_is_complete_and_who_can_t_read_the_source_can_t_read_it()
    {
        const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        File.SetUnixFileMode(Db, OwnerOnly);
        SqliteBackup.Copy(
            Db,
            Copy,
            _ => AssertPartial(),
            CancellationToken.None);
        Assert.Equal([Copy], Directory.GetFiles(_folder.Path, "backup.db*"));
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(Copy));

        void AssertPartial()
        {
            string partial = Assert.Single(Directory.GetFiles(_folder.Path, "backup.db*"));
            Assert.EndsWith(".partial", partial, StringComparison.Ordinal);
            Assert.Equal(OwnerOnly, File.GetUnixFileMode(partial));
        }
    }

    [Fact]
    public void A_backup_that_is_cancelled_leaves_nothing()
    {
        using var cancelled = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(
            () => SqliteBackup.Copy(Db, Copy, _ => cancelled.Cancel(), cancelled.Token));
        Assert.Empty(Directory.GetFiles(_folder.Path, "backup.db*"));
    }

    [Fact]
    public void A_file_that_appears_meanwhile_is_not_overwritten()
    {
        Assert.Throws<StoreOpenException>(
            () => SqliteBackup.Copy(Db, Copy, _ => File.WriteAllText(Copy, "precious"), CancellationToken.None));
        Assert.Equal("precious", File.ReadAllText(Copy));
        Assert.Equal([Copy], Directory.GetFiles(_folder.Path, "backup.db*"));
    }

    [Fact]
    public void A_backup_is_read_without_files_beside_it()
    {
        SqliteBackup.Copy(Db, Copy, _ => { }, CancellationToken.None);
        using var check = SqliteCheck.Open(Copy);
        Assert.Empty(check.FindStructuralDamage(CancellationToken.None));
        Assert.Equal([Copy], Directory.GetFiles(_folder.Path, "backup.db*"));
    }

    [Fact]
    public void A_file_that_was_idle_and_is_used_while_it_is_checked_has_to_be_checked_again()
    {
        using var check = SqliteCheck.Open(Db);
        check.RefuseChanged();
        using (var database = new Database(Db))
        {
            Insert(database);
            Assert.Contains("check it again", Refusal(check), StringComparison.Ordinal);
        }

        Assert.False(SqliteFile.HasLog(Db));
        Assert.Contains("check it again", Refusal(check), StringComparison.Ordinal);
    }

    [Fact]
    public void A_check_that_is_cancelled_ends()
    {
        using var check = SqliteCheck.Open(Db);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => check.FindStructuralDamage(cancelled.Token));
        Assert.ThrowsAny<OperationCanceledException>(() => check.VerifyRows(_ => { }, cancelled.Token));
    }

    private static string Refusal(SqliteCheck check) => Assert.Throws<StoreOpenException>(check.RefuseChanged).Message;

    private static void Insert(Database database) => database.Execute(
        """
        INSERT INTO accepted (head, device, received, digest, checksum, signature, payload)
        VALUES (0, randomblob(32), 0, 0, 0, zeroblob(64), zeroblob(1000000))
        """);
}
