using Microsoft.Data.Sqlite;
using RegistryFunctions.Storage.Sqlite;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

public sealed class SqlitePacedFileTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_copied_in_parts_or_in_a_hurry_is_all_copied(bool hurried)
    {
        using var folder = new TestFolder();
        string db = folder.File("store.db");
        using SqliteConnection writer = SqliteFile.OpenForWriting(db, SqliteSchema.Migrations);
        writer.Execute("CREATE TABLE noted (number INTEGER PRIMARY KEY, bytes BLOB)");
        writer.Execute(
            """
            INSERT INTO noted SELECT value, randomblob(3000) FROM (
                WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 500) SELECT value FROM n)
            """);
        using (SqliteConnection copier = SqliteFile.OpenForCheckpoints(db))
        {
            _ = new SqlitePacedFile(copier) { IsHurried = hurried };
            Assert.Equal(0, copier.Scalar<long>("PRAGMA wal_checkpoint(PASSIVE)"));
            Assert.Equal(0, copier.Scalar<long>("PRAGMA wal_checkpoint(TRUNCATE)"));
        }

        // Without its log.
        string copy = folder.File("copy.db");
        File.Copy(db, copy);
        using var database = new Database(copy);
        Assert.Equal("ok", database.Scalar<string>("PRAGMA integrity_check"));
        Assert.Equal(500, database.Scalar<long>("SELECT count(*) FROM noted"));
    }
}
