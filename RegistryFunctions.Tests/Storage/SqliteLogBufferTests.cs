using Microsoft.Data.Sqlite;
using RegistryFunctions.Storage.Sqlite;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

public sealed class SqliteLogBufferTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly SqliteConnection _writer;
    private readonly SqliteLogBuffer _buffer;
    private readonly Database _other;

    public SqliteLogBufferTests()
    {
        _writer = SqliteFile.OpenForWriting(Db, SqliteSchema.Migrations);
        _buffer = new SqliteLogBuffer(_writer);
        Execute("CREATE TABLE noted (number INTEGER PRIMARY KEY, bytes BLOB)");
        _other = new Database(Db);
    }

    private string Db => _folder.File("store.db");

    private string Log => SqliteFile.LogOf(Db);

    public void Dispose()
    {
        _other.Dispose();
        _writer.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(10)]
    [InlineData(120 * 1024 - 1)]
    [InlineData(120 * 1024)]
    [InlineData(1024 * 1024)]
    public void What_is_committed_is_in_the_log_whole_for_everybody(int bytes)
    {
        for (int i = 1; i <= 5; i++)
        {
            Execute($"INSERT INTO noted VALUES ({i}, randomblob({bytes}))");
            Assert.Equal(i * (long)bytes, _other.Scalar<long>("SELECT sum(length(bytes)) FROM noted"));
            AssertLogIsWhole(i);
        }
    }

    [Fact]
    public void A_transaction_that_does_not_fit_into_memory_finds_what_it_has_written_itself()
    {
        Execute("PRAGMA cache_size = 10");
        Execute("BEGIN");
        Insert(from: 1, to: 500);
        Assert.Equal(500 * 2_000, Scalar("SELECT sum(length(bytes)) FROM noted"));
        Execute("UPDATE noted SET bytes = randomblob(1000) WHERE number % 3 = 0");
        Execute("SAVEPOINT half");
        Insert(from: 501, to: 1_000);
        Execute("ROLLBACK TO half");
        Assert.Equal(0, _other.Scalar<long>("SELECT count(*) FROM noted"));
        Execute("COMMIT");
        Assert.Equal(500, _other.Scalar<long>("SELECT count(*) FROM noted"));
        AssertLogIsWhole(500);
    }

    [Fact]
    public void What_is_undone_is_gone_and_what_another_process_writes_in_its_place_is_whole()
    {
        Execute("PRAGMA cache_size = 10");
        for (int i = 1; i <= 20; i++)
        {
            Execute("BEGIN");
            Insert(from: 1_000, to: 1_000 + (17 * i));
            _buffer.Discard();
            Execute("ROLLBACK");
            _other.Execute(FormattableString.Invariant($"INSERT INTO noted VALUES ({(2 * i) - 1}, randomblob(50000))"));
            // Looks into the log.
            Assert.Equal((2 * i) - 1, Scalar("SELECT count(*) FROM noted"));
            AssertLogIsWhole((2 * i) - 1);
            Execute($"INSERT INTO noted VALUES ({2 * i}, randomblob(5000))");
            AssertLogIsWhole(2 * i);
        }
    }

    [Fact]
    public void Nothing_reaches_the_log_before_it_is_flushed_or_asked_for()
    {
        Execute("INSERT INTO noted VALUES (1, randomblob(1000))");
        long length = new FileInfo(Log).Length;
        Execute("PRAGMA cache_size = 10");
        Execute("BEGIN");
        Execute("INSERT INTO noted VALUES (2, randomblob(100000))");
        Assert.Equal(length, new FileInfo(Log).Length);
        Execute("COMMIT");
        Assert.InRange(new FileInfo(Log).Length, length + 100_000, long.MaxValue);
        AssertLogIsWhole(2);
    }

    [Fact]
    public void A_log_that_is_begun_anew_is_whole()
    {
        for (int i = 1; i <= 3; i++)
        {
            Insert(from: (i * 100) - 99, to: i * 100);
            Assert.Equal(0, Scalar("PRAGMA wal_checkpoint(TRUNCATE)"));
            Assert.Equal(0, new FileInfo(Log).Length);
            Execute($"UPDATE noted SET bytes = randomblob(3000) WHERE number = {i}");
            AssertLogIsWhole(i * 100);
        }
    }

    [Fact]
    public void A_commit_that_there_is_no_room_for_fails_and_the_next_succeeds_once_there_is()
    {
        using var disk = new SmallDisk(kibibytes: 512);
        using SqliteConnection writer = SqliteFile.OpenForWriting(disk.File("small.db"), SqliteSchema.Migrations);
        var buffer = new SqliteLogBuffer(writer);
        writer.Execute("CREATE TABLE noted (number INTEGER PRIMARY KEY, bytes BLOB)");
        string filler = disk.FillUp();
        var full = Assert.Throws<SqliteException>(() => writer.Execute("INSERT INTO noted VALUES (1, randomblob(50000))"));
        Assert.Equal(13, full.SqliteErrorCode);
        buffer.Discard();
        using var reader = new Database(disk.File("small.db"));
        Assert.Equal(0, reader.Scalar<long>("SELECT count(*) FROM noted"));
        File.Delete(filler);
        writer.Execute("INSERT INTO noted VALUES (2, randomblob(50000))");
        Assert.Equal(2, reader.Scalar<long>("SELECT sum(number) FROM noted"));
        Assert.Equal("ok", reader.Scalar<string>("PRAGMA integrity_check"));
    }

    private void Insert(int from, int to)
    {
        for (int i = from; i <= to; i++)
        {
            Execute($"INSERT INTO noted VALUES ({i}, randomblob(2000))");
        }
    }

    private void Execute(FormattableString sql) => Execute(FormattableString.Invariant(sql));

    private void Execute(string sql) => _writer.Execute(sql);

    private long Scalar(string sql) => _writer.Scalar<long>(sql);

    // What another process would find if this one were killed now.
    private void AssertLogIsWhole(int rows)
    {
        using var copies = new TestFolder();
        string copy = copies.File("copy.db");
        File.Copy(Db, copy);
        File.Copy(Log, SqliteFile.LogOf(copy));
        using var database = new Database(copy);
        Assert.Equal("ok", database.Scalar<string>("PRAGMA integrity_check"));
        Assert.Equal(rows, database.Scalar<long>("SELECT count(*) FROM noted"));
    }
}
