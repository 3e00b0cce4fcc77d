using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Sqlite;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

internal sealed class SqliteData : IStoreData
{
    private readonly TestFolder _folder = new();

    public int Samples => -1;

    public string Db => _folder.File("store.db");

    public ValueTask<IBundleStore> OpenAsync(StoreOptions options, TimeProvider time) =>
        new(SqliteBundleStore.Open(new SqliteStoreOptions(Db, options), time, NullLogger.Instance));

    public ValueTask<(long Held, long Remembered)> CountAsync(DeviceId device)
    {
        using var database = new Database(Db);
        return new((Count("bundle"), Count("spent")));

        long Count(string view) => database.Scalar<long>(
            string.Create(CultureInfo.InvariantCulture, $"SELECT count(*) FROM {view} WHERE device = x'{device}'"));
    }

    public void Execute(string sql)
    {
        using var database = new Database(Db);
        database.Execute(sql);
    }

    public ValueTask<IAsyncDisposable> LockAsync()
    {
        var database = new Database(Db);
        database.Execute("BEGIN IMMEDIATE");
        return new(new Held(database));
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    private sealed class Held(Database database) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            database.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
