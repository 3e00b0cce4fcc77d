using Microsoft.Data.Sqlite;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Sqlite;
using RegistryFunctions.Tests.Support;
using SQLitePCL;

namespace RegistryFunctions.Tests.Storage;

/// <summary>Which files are refused at the start, and how older ones are brought up to date.</summary>
public sealed class SqliteFileTests : IDisposable
{
    private readonly TestFolder _folder = new();

    private string Db => _folder.File("store.db");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_new_file_is_created_with_its_version()
    {
        Open(Db).Dispose();
        using var database = new Database(Db);
        Assert.Equal(SqliteSchema.Migrations.Count, database.Scalar<long>("PRAGMA user_version"));
        Assert.Equal(SqliteSchema.ApplicationId, database.Scalar<long>("PRAGMA application_id"));
    }

    [Fact]
    public void A_folder_that_takes_no_files_is_refused()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs Linux's /proc, in which nobody can create a file");
        Assert.Contains("can't be opened: let this user read and write", Refusal("/proc/registry.db"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_no_database_is_refused_and_left_as_it_was()
    {
        byte[] text = [.. Enumerable.Repeat((byte)'x', 5_000)];
        File.WriteAllBytes(Db, text);
        Assert.Contains("is not a SQLite database", Refusal(Db), StringComparison.Ordinal);
        Assert.Equal(text, File.ReadAllBytes(Db));
    }

    [Fact]
    public void A_database_of_another_program_is_refused_and_left_as_it_was()
    {
        using (var other = new Database(Db))
        {
            other.Execute("CREATE TABLE t (x)");
        }

        byte[] before = File.ReadAllBytes(Db);
        Assert.Contains("of another program", Refusal(Db), StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(Db));
    }

    [Fact]
    public void A_database_of_a_newer_release_is_refused()
    {
        Open(Db).Dispose();
        using (var database = new Database(Db))
        {
            database.Execute("PRAGMA user_version = 1000");
        }

        Assert.Contains("newer release (schema 1000", Refusal(Db), StringComparison.Ordinal);
    }

    [Fact]
    public void A_locked_database_is_refused()
    {
        Open(Db).Dispose();
        using var other = new Database(Db);
        other.Execute("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
        Assert.Contains("is locked by another process", Refusal(Db), StringComparison.Ordinal);
    }

    [Fact]
    public void Nobody_waits_for_a_lock_of_another_process_for_longer_than_five_seconds()
    {
        Open(Db).Dispose();
        Func<SqliteSession>[] ways =
        [
            () => Open(Db),
            () => SqliteFile.OpenForReading(Db),
            () => SqliteFile.OpenForBackup(Db, SqliteSchema.Migrations),
            () => SqliteFile.OpenForCheck(Db, SqliteSchema.Migrations, out _),
        ];
        Assert.All(ways, open =>
        {
            using SqliteSession session = open();
            Assert.InRange(session.Scalar<long>("PRAGMA busy_timeout"), 1, 5_000);
        });
    }

    [Fact]
    public void An_older_database_is_migrated()
    {
        using (SqliteFile.OpenForWriting(Db, SqliteSchema.Migrations))
        {
        }

        using (SqliteFile.OpenForWriting(Db, [.. SqliteSchema.Migrations, "ALTER TABLE accepted ADD COLUMN later TEXT"]))
        {
        }

        using var database = new Database(Db);
        Assert.Equal(SqliteSchema.Migrations.Count + 1, database.Scalar<long>("PRAGMA user_version"));
        Assert.Equal(1, database.Scalar<long>("SELECT count(*) FROM pragma_table_info('accepted') WHERE name = 'later'"));
    }

    [Fact]
    public void A_migration_that_fails_leaves_the_older_database_whole()
    {
        Open(Db).Dispose();
        Assert.ThrowsAny<SqliteException>(() => SqliteFile.OpenForWriting(
            Db, [.. SqliteSchema.Migrations, "ALTER TABLE accepted ADD COLUMN later TEXT", "not SQL"]));
        using var database = new Database(Db);
        Assert.Equal(SqliteSchema.Migrations.Count, database.Scalar<long>("PRAGMA user_version"));
        Assert.Equal(0, database.Scalar<long>("SELECT count(*) FROM pragma_table_info('accepted') WHERE name = 'later'"));
    }

    [Theory]
    [InlineData(5, StoreFault.Busy)]
    [InlineData(6, StoreFault.Busy)]
    [InlineData(15, StoreFault.Busy)] // SQLITE_PROTOCOL: too many begin a transaction at once
    [InlineData(13, StoreFault.Full)]
    [InlineData(3, StoreFault.Unavailable)]
    [InlineData(7, StoreFault.Unavailable)]
    [InlineData(8, StoreFault.Unavailable)]
    [InlineData(10, StoreFault.Unavailable)]
    [InlineData(10 | (1 << 8), StoreFault.Damaged)] // SQLITE_IOERR_READ
    [InlineData(11, StoreFault.Damaged)]
    [InlineData(14, StoreFault.Unavailable)]
    [InlineData(26, StoreFault.Damaged)]
    [InlineData(19, null)] // SQLITE_CONSTRAINT is the row's fault
    public void The_codes_of_SQLite_say_whose_fault_it_is(int code, StoreFault? fault) =>
        Assert.Equal(fault, SqliteFault.Of(new SqliteException("", code & SqliteFault.PrimaryCode, code)));

    // In the releases before it, two checkpoints at once could damage a database (https://www.sqlite.org/wal.html).
    [Fact]
    public void SQLite_is_new_enough_to_copy_the_log_from_two_connections() =>
        Assert.InRange(raw.sqlite3_libversion_number(), 3_051_003, int.MaxValue);

    [Fact]
    public void Readers_can_t_write()
    {
        Open(Db).Dispose();
        using SqliteSession reader = SqliteFile.OpenForReading(Db);
        Assert.Equal(8, Assert.Throws<SqliteException>(() => reader.Execute("DELETE FROM accepted")).SqliteErrorCode);
    }

    [Fact]
    public async Task Many_may_open_a_new_file_at_once()
    {
        for (int round = 0; round < 10; round++)
        {
            string db = _folder.File($"{round}.db");
            SqliteSession[] opened = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => Open(db))));
            Array.ForEach(opened, session => session.Dispose());
        }
    }

    private static SqliteSession Open(string path) => SqliteFile.OpenForWriting(path, SqliteSchema.Migrations);

    private static string Refusal(string path)
    {
        StoreOpenException refused = Assert.Throws<StoreOpenException>(() => Open(path));
        Assert.DoesNotContain('\n', refused.Message);
        Assert.StartsWith(path, refused.Message, StringComparison.Ordinal);
        return refused.Message;
    }
}
