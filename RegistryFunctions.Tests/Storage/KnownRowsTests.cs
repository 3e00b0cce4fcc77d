using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage.Sqlite;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

public sealed class KnownRowsTests : IDisposable
{
    private static readonly DeviceId Known = new Device().Id;

    private readonly TestFolder _folder = new();
    private readonly FakeTimeProvider _time = new();
    private readonly SqliteConnection _writer;
    private readonly Database _other;
    private readonly WalIndex _index;
    private readonly KnownRows _rows;

    public KnownRowsTests()
    {
        _writer = SqliteFile.OpenForWriting(_folder.File("store.db"), SqliteSchema.Migrations);
        _writer.Execute("CREATE TABLE noted (number INTEGER PRIMARY KEY)");
        _other = new Database(_folder.File("store.db"));
        _index = new WalIndex(_writer);
        _rows = new KnownRows(_time);
        _rows.Renew(_index);
    }

    public void Dispose()
    {
        _other.Dispose();
        _writer.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Own_commits_are_known()
    {
        Assert.Equal(0, _rows.At(_index)!.Find(Known));
        Write(row: 1);
        Assert.Equal(1, _rows.At(_index)!.Find(Known));
        Write(row: 2);
        Assert.Equal(2, _rows.At(_index)!.Find(Known));
    }

    [Fact]
    public void Nothing_is_known_from_an_own_commit_until_it_is_noted()
    {
        _writer.Execute("BEGIN IMMEDIATE");
        _rows.Begin(_index);
        _writer.Execute("INSERT INTO noted DEFAULT VALUES");
        Assert.NotNull(_rows.At(_index));
        _writer.Execute("COMMIT");
        Assert.Null(_rows.At(_index));
        _rows.Commit(_index, [(Known, 1)], dropped: false);
        Assert.Equal(1, _rows.At(_index)!.Find(Known));
    }

    [Fact]
    public void A_commit_of_another_is_seen_at_once_and_makes_all_forgotten_until_it_leaves_the_file_alone()
    {
        Write(row: 1);
        _other.Execute("INSERT INTO noted DEFAULT VALUES");
        Assert.Null(_rows.At(_index));
        Write(row: 3);
        Assert.Null(_rows.At(_index));
        _time.Advance(TimeSpan.FromSeconds(59));
        _rows.Renew(_index);
        Assert.Null(_rows.At(_index));
        _time.Advance(TimeSpan.FromSeconds(1));
        _rows.Renew(_index);
        Assert.Equal(0, _rows.At(_index)!.Find(Known));
        Write(row: 4);
        Assert.Equal(4, _rows.At(_index)!.Find(Known));
    }

    [Fact]
    public void A_commit_of_another_between_an_own_and_its_noting_is_not_taken_for_own()
    {
        CommitUnnoted();
        _other.Execute("INSERT INTO noted DEFAULT VALUES");
        _rows.Commit(_index, [(Known, 1)], dropped: false);
        Assert.Null(_rows.At(_index));
        Write(row: 3);
        Assert.Null(_rows.At(_index));
    }

    [Fact]
    public void Dropping_makes_what_was_fetched_forgotten()
    {
        Write(row: 1);
        FetchedBundles fetched = _rows.At(_index)!.Bundles;
        var bundle = new Bundle(new byte[1], new Signature(new byte[Signature.Size]));
        fetched.Add(Known, 1, bundle, fetched.Epoch);
        fetched.Add(Known, 1, bundle, fetched.Epoch);
        Write(row: 2);
        Assert.NotNull(fetched.Find(Known, 1));
        Write(row: 3, dropped: true);
        Assert.Null(fetched.Find(Known, 1));
    }

    private void CommitUnnoted()
    {
        _writer.Execute("BEGIN IMMEDIATE");
        _rows.Begin(_index);
        _writer.Execute("INSERT INTO noted DEFAULT VALUES");
        _writer.Execute("COMMIT");
    }

    private void Write(long row, bool dropped = false)
    {
        CommitUnnoted();
        _rows.Commit(_index, [(Known, row)], dropped);
    }
}
