using Microsoft.Data.Sqlite;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Sqlite;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

public sealed class SqliteBundlesTests
{
    [Fact]
    public void A_batch_that_is_undone_leaves_what_another_process_then_publishes_as_it_is()
    {
        using var folder = new TestFolder();
        string db = folder.File("store.db");
        using SqliteBundles bundles = Open(db, out SqliteConnection connection);
        using SqliteBundles others = Open(db, out _);
        // More than fits into memory, so that a part is written to the log before the end.
        connection.Execute("PRAGMA cache_size = 10");
        for (int round = 1; round <= 10; round++)
        {
            // So that undoing need not look into the log itself.
            connection.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
            bundles.Begin();
            Publish(bundles, count: 20 * round);
            bundles.Rollback();
            others.Begin();
            Publish(others, count: 10);
            others.Commit();
            using var database = new Database(db);
            // Looks into the log.
            Assert.Equal(10 * round, connection.Scalar<long>("SELECT count(*) FROM bundle"));
            Assert.Equal("ok", database.Scalar<string>("PRAGMA integrity_check"));
            Assert.Equal(10 * round, database.Scalar<long>("SELECT count(*) FROM bundle WHERE length(payload) = 2000"));
        }
    }

    private static SqliteBundles Open(string db, out SqliteConnection connection)
    {
        connection = SqliteFile.OpenForWriting(db, SqliteSchema.Migrations);
        var options = new SqliteStoreOptions(db, Keep: 1, ReplayWindow: TimeSpan.Zero);
        return new SqliteBundles(connection, options);
    }

    private static void Publish(SqliteBundles bundles, int count)
    {
        for (int i = 0; i < count; i++)
        {
            VerifiedBundle bundle = new Device().Bundle(Device.RandomPayload(2_000));
            bundles.Publish(bundle, Digest.OfPayload(bundle.Bundle.Payload.Span), DateTimeOffset.UnixEpoch);
        }
    }
}
