using Microsoft.Data.Sqlite;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage.Sqlite;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

public sealed class SqliteReadersTests : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly SqliteConnection _writer;
    private readonly SqliteReaders _readers;

    public SqliteReadersTests()
    {
        string db = _folder.File("store.db");
        _writer = SqliteFile.OpenForWriting(db, SqliteSchema.Migrations);
        _readers = new SqliteReaders(db);
    }

    public void Dispose()
    {
        _readers.Dispose();
        _writer.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void One_that_was_given_back_is_used_again_and_never_by_two()
    {
        SqliteReader first = _readers.Take();
        SqliteReader second = _readers.Take();
        Assert.NotSame(first, second);
        _readers.Return(first);
        Assert.Same(first, _readers.Take());
        _readers.Return(first);
        _readers.Return(second);
    }

    [Fact]
    public void As_many_as_are_asked_for_are_opened_and_no_more_are_kept_than_are_of_use()
    {
        SqliteReader[] taken = [.. Enumerable.Range(0, SqliteReader.MostIdle + 3).Select(_ => _readers.Take())];
        Array.ForEach(taken, _readers.Return);
        SqliteReader[] again = [.. taken.Select(_ => _readers.Take())];
        Assert.Equal(SqliteReader.MostIdle, again.Intersect(taken).Count());
        Assert.All(
            taken.Except(again),
            reader => Assert.ThrowsAny<Exception>(() => reader.FindNewest(new DeviceId(new byte[DeviceId.Size]))));
        Assert.All(again, reader => Assert.Null(reader.FindNewest(new DeviceId(new byte[DeviceId.Size]))));
        Array.ForEach(again, _readers.Return);
    }

    [Fact]
    public void One_that_is_in_use_at_the_end_is_closed_when_it_is_given_back()
    {
        SqliteReader used = _readers.Take();
        _readers.Dispose();
        Assert.Null(used.FindNewest(new DeviceId(new byte[DeviceId.Size])));
        _readers.Return(used);
        Assert.ThrowsAny<Exception>(() => used.FindNewest(new DeviceId(new byte[DeviceId.Size])));
        Assert.Throws<ObjectDisposedException>(_readers.Take);
    }
}
