using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;
using RegistryFunctions.Storage.Postgres;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

/// <summary>What is particular to a database that several instances share over a network.</summary>
public sealed class PostgresStoreTests : IAsyncDisposable
{
    private readonly PostgresData _data = new();

    public ValueTask DisposeAsync() => _data.DisposeAsync();

    [Theory]
    [InlineData(2, false)]
    [InlineData(4, false)]
    [InlineData(4, true)]
    public async Task Instances_that_publish_for_the_same_devices_at_once_agree(int instances, bool transactionPerDevice)
    {
        const int Keep = 2;
        const int Publishes = 60;
        IBundleStore[] stores = await Task.WhenAll(Enumerable.Range(0, instances).Select(_ => OpenAsync(
            Options(Keep) with { TransactionPerDevice = transactionPerDevice })));
        Device[] devices = [.. Enumerable.Range(0, 3).Select(_ => new Device())];
        // Every instance publishes the same payloads in an order of its own, several at once.
        (int Device, int Payload, PublishOutcome Outcome)[] told = [.. (await Task.WhenAll(stores.Select((store, instance) => Task.WhenAll(
            Enumerable.Range(0, Publishes * devices.Length).Select(async i =>
            {
                int payload = (i * (instance + 1)) % Publishes;
                int device = i % devices.Length;
                PublishOutcome outcome = await store.PublishAsync(
                    devices[device].Bundle(BitConverter.GetBytes(payload)), CancellationToken.None);
                return (device, payload, outcome);
            }))))).SelectMany(outcomes => outcomes)];
        // Accepted once and never again.
        Assert.All(
            told.Where(t => t.Outcome == PublishOutcome.Stored).CountBy(t => (t.Device, t.Payload)), accepted => Assert.Equal(1, accepted.Value));
        for (int i = 0; i < devices.Length; i++)
        {
            int stored = told.Count(t => t.Device == i && t.Outcome == PublishOutcome.Stored);
            Assert.Equal((Keep, stored - Keep), await _data.CountAsync(devices[i].Id));
            Bundle?[] newest = await Task.WhenAll(stores.Select(store => store.FindNewestAsync(devices[i].Id, CancellationToken.None).AsTask()));
            Assert.All(newest, found => Assert.Equal(newest[0]!.Payload.ToArray(), found!.Payload.ToArray()));
        }

        await Task.WhenAll(stores.Select(store => store.DisposeAsync().AsTask()));
    }

    [Fact]
    public async Task A_publish_waits_for_the_lock_of_its_device_and_then_decides_by_what_was_done_under_it()
    {
        await using IBundleStore store = await OpenAsync(Options(keep: 2));
        var device = new Device();
        await PublishAsync(store, device, [1]);
        await using NpgsqlDataSource database = NpgsqlDataSource.Create(_data.ConnectionString);
        await using NpgsqlConnection other = await database.OpenConnectionAsync();
        await using (NpgsqlTransaction transaction = await other.BeginTransactionAsync())
        {
            // What another instance does that publishes [2].
            VerifiedBundle two = device.Bundle([2]);
            await ExecuteAsync(other, BundleSql.LockDevice, p => p.Bytes(device.Id.Span.ToArray()));
            Task<PublishOutcome> publish = PublishAsync(store, device, [2]);
            await WaitsForLockAsync();
            await ExecuteAsync(other, BundleSql.Publish, p => p
                .Bytes(device.Id.Span.ToArray()).Int64(Digest.OfPayload([2])).Int64(0).Int64(0)
                .Bytes(two.Bundle.Signature.Span.ToArray()).Bytes(two.Bundle.Payload).Int32(2).Boolean(true).Boolean(true));
            Assert.False(publish.IsCompleted);
            await transaction.CommitAsync();
            Assert.Equal(PublishOutcome.AlreadyCurrent, await publish);
        }

        Assert.Equal((2, 0), await _data.CountAsync(device.Id));
    }

    [Fact]
    public async Task A_device_whose_lock_is_held_for_long_does_not_keep_the_others_of_its_batch()
    {
        await using IBundleStore store = await OpenAsync(Options());
        Device[] devices = [.. Enumerable.Range(0, 40).Select(_ => new Device())];
        await using NpgsqlDataSource database = NpgsqlDataSource.Create(_data.ConnectionString);
        await using NpgsqlConnection other = await database.OpenConnectionAsync();
        await using NpgsqlTransaction transaction = await other.BeginTransactionAsync();
        await ExecuteAsync(other, BundleSql.LockDevice, p => p.Bytes(devices[7].Id.Span.ToArray()));
        Task<PublishOutcome>[] publishes = [.. devices.Select(device => PublishAsync(store, device, [1]))];
        StoreException busy = await Assert.ThrowsAsync<StoreException>(() => publishes[7]);
        Assert.Equal(StoreFault.Busy, busy.Fault);
        Assert.All(await Task.WhenAll(publishes.Where((_, i) => i != 7)), outcome => Assert.Equal(PublishOutcome.Stored, outcome));
    }

    [Fact]
    public async Task The_first_publishes_of_a_new_database_do_not_wait_for_each_other()
    {
        await using IBundleStore store = await OpenAsync(Options(with: "Command Timeout=30;Options=-c lock_timeout=20s"));
        var locked = new Device();
        await using NpgsqlDataSource database = NpgsqlDataSource.Create(_data.ConnectionString);
        await using NpgsqlConnection other = await database.OpenConnectionAsync();
        await using NpgsqlTransaction transaction = await other.BeginTransactionAsync();
        await ExecuteAsync(other, BundleSql.LockDevice, p => p.Bytes(locked.Id.Span.ToArray()));
        Task<PublishOutcome> waiting = PublishAsync(store, locked, [1]);
        await WaitsForLockAsync();
        // Those of its writer wait with it.
        Device[] devices = [.. Enumerable.Range(0, 64).Select(_ => new Device()).Where(device => WriterOf(device) != WriterOf(locked))];
        PublishOutcome[] outcomes = await Task.WhenAll(devices.Select(device => PublishAsync(store, device, [1])));
        Assert.All(outcomes, outcome => Assert.Equal(PublishOutcome.Stored, outcome));
        await transaction.RollbackAsync();
        Assert.Equal(PublishOutcome.Stored, await waiting);
    }

    [Fact]
    public async Task A_bundle_that_the_database_refuses_fails_alone()
    {
        await using IBundleStore store = await OpenAsync(Options());
        _data.Execute("ALTER TABLE bundle ADD CONSTRAINT poison CHECK (payload <> '\\x0d')");
        Device[] devices = [.. Enumerable.Range(0, 20).Select(_ => new Device())];
        Task<PublishOutcome>[] publishes = [.. devices.SelectMany((device, i) =>
            (Task<PublishOutcome>[])[PublishAsync(store, device, [(byte)i]), PublishAsync(store, device, [100])])];
        await Assert.ThrowsAsync<StoreException>(() => publishes[2 * 13]);
        Assert.All(await Task.WhenAll(publishes.Where((_, i) => i != 2 * 13)), outcome => Assert.Equal(PublishOutcome.Stored, outcome));
        Assert.Equal((1, 0), await _data.CountAsync(devices[13].Id));
    }

    [Fact]
    public async Task Only_the_holder_of_the_lease_prunes_until_it_has_expired()
    {
        await using IBundleStore store = await OpenAsync(Options());
        var device = new Device();
        await PublishAsync(store, device, [1]);
        _data.Execute("INSERT INTO lease VALUES ('prune', 'another', now() + interval '1 hour')");
        Assert.Equal(0, await store.PruneAsync(DateTimeOffset.MaxValue, CancellationToken.None));
        _data.Execute("UPDATE lease SET until = now() - interval '1 second'");
        Assert.Equal(1, await store.PruneAsync(DateTimeOffset.MaxValue, CancellationToken.None));
        Assert.Equal(0, await _data.ScalarAsync<long>("SELECT count(*) FROM lease"));
    }

    [Fact]
    public async Task Nothing_is_left_of_a_device_that_nothing_is_remembered_of()
    {
        await using IBundleStore store = await OpenAsync(Options(window: TimeSpan.Zero));
        await PublishAsync(store, new Device(), [1]);
        await store.PruneAsync(DateTimeOffset.MaxValue, CancellationToken.None);
        Assert.Equal(0, await _data.ScalarAsync<long>("SELECT count(*) FROM device"));
    }

    [Fact]
    public async Task Instances_that_start_together_on_an_empty_database_make_its_tables_once()
    {
        IBundleStore[] stores = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => OpenAsync(Options())));
        await PublishAsync(stores[0], new Device(), [1]);
        Assert.Equal(1, (await stores[5].CountReceivedBeforeAsync(DateTimeOffset.MaxValue, CancellationToken.None)).Count);
        await Task.WhenAll(stores.Select(store => store.DisposeAsync().AsTask()));
    }

    [Fact]
    public async Task A_newer_release_migrates_once_and_the_older_goes_on_where_it_can()
    {
        IReadOnlyList<Migration> old = PostgresSchema.Migrations;
        Migration[] newer = [.. old, new(WorksFrom: 1, "CREATE TABLE later (one integer)"), new(WorksFrom: old.Count, "INSERT INTO later VALUES (1)")];
        await using IBundleStore store = await OpenAsync(Options());
        await using NpgsqlDataSource database = NpgsqlDataSource.Create(_data.ConnectionString);
        await Assert.ThrowsAsync<StoreOpenException>(() => PostgresSchema.FitAsync(database, newer, migrate: false));
        await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => PostgresSchema.FitAsync(database, newer, migrate: true)));
        Assert.Equal(1, await _data.ScalarAsync<long>("SELECT count(*) FROM later"));
        await PublishAsync(store, new Device(), [1]);
        await PostgresSchema.FitAsync(database, old, migrate: false);

        await PostgresSchema.FitAsync(database, [.. newer, new(WorksFrom: newer.Length + 1, "DROP TABLE later")], migrate: true);
        StoreOpenException refused = await Assert.ThrowsAsync<StoreOpenException>(() => PostgresSchema.FitAsync(database, old, migrate: true));
        Assert.Contains("newer release", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_of_another_program_is_refused_and_left_as_it_is()
    {
        _data.Execute("CREATE TABLE bundle (theirs integer)");
        StoreOpenException refused = await Assert.ThrowsAsync<StoreOpenException>(() => OpenAsync(Options()));
        Assert.Contains("another program", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, await _data.ScalarAsync<long>("SELECT count(theirs) FROM bundle"));
    }

    [Fact]
    public async Task Without_a_migration_a_database_that_does_not_fit_is_refused()
    {
        StoreOpenException refused = await Assert.ThrowsAsync<StoreOpenException>(() => OpenAsync(Options() with { AutoMigrate = false }));
        Assert.Contains("run RegistryFunctions migrate", refused.Message, StringComparison.Ordinal);
        await (await OpenAsync(Options())).DisposeAsync();
        await (await OpenAsync(Options() with { AutoMigrate = false })).DisposeAsync();
    }

    [Theory]
    [InlineData("-c synchronous_commit=off", "synchronous_commit is off")]
    [InlineData("-c default_transaction_read_only=on", "is read-only")]
    public async Task A_session_that_would_lose_or_refuse_publishes_is_refused(string options, string reason)
    {
        PostgresStoreOptions unfit = Options(with: $"Options={options}");
        StoreOpenException refused = await Assert.ThrowsAsync<StoreOpenException>(() => OpenAsync(unfit));
        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
    }

    [Fact]
    public async Task A_session_that_would_lose_publishes_is_used_where_that_is_accepted()
    {
        await using IBundleStore store = await OpenAsync(Options(with: "Options=-c synchronous_commit=off") with { AllowLossyCommits = true });
        Assert.Equal(PublishOutcome.Stored, await PublishAsync(store, new Device(), [1]));
    }

    [Theory]
    [InlineData("repeatable read")]
    [InlineData("serializable")]
    public async Task A_stricter_isolation_by_default_changes_nothing(string isolation)
    {
        string with = $"Options=-c default_transaction_isolation={isolation.Replace(" ", "\\ ", StringComparison.Ordinal)}";
        await using IBundleStore one = await OpenAsync(Options(keep: 2, with: with));
        await using IBundleStore two = await OpenAsync(Options(keep: 2, with: with));
        var device = new Device();
        PublishOutcome[] outcomes = await Task.WhenAll(Enumerable.Range(0, 40).Select(
            i => PublishAsync(i % 2 == 0 ? one : two, device, [(byte)(i / 2)])));
        Assert.Equal(20, outcomes.Count(outcome => outcome == PublishOutcome.Stored));
        Assert.Equal((2, 18), await _data.CountAsync(device.Id));
        await one.ProbeAsync();
        Assert.Equal(2, await two.PruneAsync(DateTimeOffset.MaxValue, CancellationToken.None));
    }

    [Theory]
    [InlineData("53100", StoreFault.Full)]
    [InlineData("53300", StoreFault.Busy)]
    [InlineData("55P03", StoreFault.Busy)]
    [InlineData("57014", StoreFault.Busy)]
    [InlineData("40P01", StoreFault.Busy)]
    [InlineData("25006", StoreFault.Unavailable)]
    [InlineData("57P01", StoreFault.Unavailable)]
    [InlineData("57P03", StoreFault.Unavailable)]
    [InlineData("08006", StoreFault.Unavailable)]
    [InlineData("42501", StoreFault.Unavailable)]
    public void Errors_of_the_server_are_faults_of_the_store(string state, StoreFault fault)
    {
        StoreException told = PostgresFaults.AsStoreException(new PostgresException("two\nlines", "ERROR", "ERROR", state))!;
        Assert.Equal(fault, told.Fault);
        Assert.DoesNotContain('\n', told.Message);
    }

    private static int WriterOf(Device device) => device.Id.Span[0] % PostgresTuning.Writers;

    private static Task<PublishOutcome> PublishAsync(IBundleStore store, Device device, byte[] payload) =>
        store.PublishAsync(device.Bundle(payload), CancellationToken.None).AsTask();

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, Action<NpgsqlParameterCollection> with)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        with(command.Parameters);
        await command.ExecuteNonQueryAsync();
    }

    private async Task WaitsForLockAsync()
    {
        long begin = Stopwatch.GetTimestamp();
        while (!await _data.IsAnyoneWaitingAsync())
        {
            Assert.True(Stopwatch.GetElapsedTime(begin) < TimeSpan.FromMinutes(1));
        }
    }

    private PostgresStoreOptions Options(int keep = 5, TimeSpan? window = null, string with = "") => new(
        PostgresAddress.Of($"{_data.ConnectionString};{with}", password: null)!, new StoreOptions(keep, window ?? TimeSpan.FromDays(90)));

    private static async Task<IBundleStore> OpenAsync(PostgresStoreOptions options) =>
        await PostgresBundleStore.OpenAsync(options, TimeProvider.System, NullLogger.Instance);
}
