using System.Net;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>What clients see of a disk that fails, is full or is slow, and that nothing acknowledged is lost by it.</summary>
public sealed class DiskFaultTests : IDisposable
{
    private const string DatabaseName = "registry.db";
    private const string LogName = "registry.db-wal";
    private const int InputOutputError = 5;

    private readonly TestFolder _folder = new();
    private readonly FaultyCalls _faults = new();
    private readonly Device _device = new();

    private string Db => _folder.File(DatabaseName);

    public void Dispose()
    {
        _faults.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_204_comes_only_once_the_log_is_flushed()
    {
        await using RegistryProcess server = await _faults.StartAsync(Db);
        // The log is flushed once more where it begins.
        await PublishAsync(server, 1);
        using var tooLate = new CancellationTokenSource();
        _faults.Hold(FaultyCalls.Sync, LogName);
        Task<HttpResponseMessage> publish = server.PublishAsync(_device, [2]);
        Task flush = _faults.MetAsync(tooLate.Token);
        Assert.Same(flush, await Task.WhenAny(publish, flush));
        Assert.Equal([1], (await server.FetchAsync(_device))!);
        Assert.False(publish.IsCompleted);
        _faults.Stop();
        using HttpResponseMessage published = await publish;
        Assert.Equal(HttpStatusCode.NoContent, published.StatusCode);
        Assert.Equal([2], (await server.FetchAsync(_device))!);
        await tooLate.CancelAsync();
    }

    [Theory]
    [InlineData(FaultyCalls.Sync)]
    [InlineData(FaultyCalls.Write)]
    public async Task A_log_that_fails_to_take_a_bundle_gives_no_204_and_the_next_is_kept(string call)
    {
        await using (RegistryProcess server = await _faults.StartAsync(Db))
        {
            await PublishAsync(server, 1);
            _faults.FailOnce(call, LogName, InputOutputError);
            using HttpResponseMessage refused = await server.PublishAsync(_device, [2]);
            await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, refused);
            Assert.True(_faults.IsMet);
            Assert.Equal([1], (await server.FetchAsync(_device))!);
            await PublishAsync(server, 3);
            server.Kill();
        }

        await using RegistryProcess again = await _faults.StartAsync(Db);
        Assert.Equal([3], (await again.FetchAsync(_device))!);
    }

    [Fact]
    public async Task A_write_that_takes_only_a_part_is_completed()
    {
        await using RegistryProcess server = await _faults.StartAsync(Db);
        _faults.ShortenOnce(FaultyCalls.Write, LogName);
        await PublishAsync(server, 1);
        Assert.True(_faults.IsMet);
        Assert.Equal([1], (await server.FetchAsync(_device))!);
    }

    [Theory]
    [InlineData(28)] // ENOSPC
    [InlineData(27)] // EFBIG
    [InlineData(122)] // EDQUOT
    public async Task No_room_of_any_kind_is_507_fetches_go_on_and_it_heals(int error)
    {
        await using RegistryProcess server = await _faults.StartAsync(Db);
        await PublishAsync(server, 1);
        _faults.Fail(FaultyCalls.Write, LogName, error);
        for (byte i = 2; i < 4; i++)
        {
            using HttpResponseMessage refused = await server.PublishAsync(_device, [i]);
            await ProblemAssert.IsProblemAsync(HttpStatusCode.InsufficientStorage, refused);
        }

        Assert.Equal([1], (await server.FetchAsync(_device))!);
        _faults.Stop();
        await PublishAsync(server, 4);
        Assert.Equal([4], (await server.FetchAsync(_device))!);
    }

    [Theory]
    [InlineData(28)]
    [InlineData(27)]
    [InlineData(122)]
    public async Task A_database_that_has_no_room_for_the_log_leaves_it_there_and_heals(int error)
    {
        await using RegistryProcess server = await _faults.StartAsync(Db, "--max-body-bytes", "67108864");
        _faults.Fail(FaultyCalls.Write, DatabaseName, error);
        await PublishAsync(server, LongEnoughToBeCopied());
        // The writer, too, has its part in copying the log, and meets the fault before it writes the next.
        await _faults.MetAsync(TestContext.Current.CancellationToken);
        await PublishAsync(server, 1);
        await PublishAsync(server, 2);
        _faults.Stop();
        await PublishAsync(server, 3);
        server.Terminate();
        Assert.Equal(0, await server.ExitAsync());
        Assert.Equal([Db], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public async Task At_the_limit_of_file_sizes_publishes_are_507_fetches_go_on_and_it_heals()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/prlimit"), "needs prlimit, of util-linux");
        await using RegistryProcess server = await _faults.StartAsync(Db);
        await PublishAsync(server, 1);
        LimitFiles(server, "200000");
        HttpStatusCode status;
        int published = 0;
        do
        {
            using HttpResponseMessage response = await server.PublishAsync(new Device(), Device.RandomPayload(10_000));
            status = response.StatusCode;
            Assert.InRange(++published, 1, 100);
        }
        while (status == HttpStatusCode.NoContent);
        Assert.Equal(HttpStatusCode.InsufficientStorage, status);
        Assert.Equal([1], (await server.FetchAsync(_device))!);
        LimitFiles(server, "unlimited");
        await PublishAsync(server, 2);
        Assert.Equal([2], (await server.FetchAsync(_device))!);
    }

    [Fact]
    public async Task After_a_flush_of_the_database_has_failed_publishes_are_503_and_the_log_survives_every_close()
    {
        byte[] last = LongEnoughToBeCopied();
        await using (RegistryProcess server = await _faults.StartAsync(Db, "--max-body-bytes", "67108864"))
        {
            _faults.FailOnce(FaultyCalls.Sync, DatabaseName, InputOutputError);
            await PublishAsync(server, last);
            await _faults.MetAsync(TestContext.Current.CancellationToken);
            await RefusedAsync(server);
            Assert.Equal(last, await server.FetchAsync(_device));
            server.Terminate();
            Assert.Equal(0, await server.ExitAsync());
        }

        long length = new FileInfo(_folder.File(LogName)).Length;
        Assert.True(length > last.Length);
        // Each may be the last to close the file.
        RegistryCommand backup = await RegistryCommand.RunAsync(["backup", _folder.File("backup.db"), "--db", Db]);
        Assert.Equal(0, backup.ExitCode);
        RegistryCommand check = await RegistryCommand.RunAsync(["check", Db]);
        Assert.Equal(0, check.ExitCode);
        Assert.Equal(length, new FileInfo(_folder.File(LogName)).Length);

        await using RegistryProcess again = await _faults.StartAsync(Db);
        Assert.Equal(last, await again.FetchAsync(_device));
        again.Terminate();
        Assert.Equal(0, await again.ExitAsync());
        Assert.False(File.Exists(_folder.File(LogName)));
    }

    [Fact]
    public async Task Pages_that_can_t_be_read_are_503_and_so_is_ready_until_they_can()
    {
        byte[] payload = Device.RandomPayload(8_000);
        await using (RegistryProcess before = await _faults.StartAsync(Db))
        {
            await PublishAsync(before, payload);
            before.Terminate();
            Assert.Equal(0, await before.ExitAsync());
        }

        // All of it is in the database, and nothing in a cache.
        await using RegistryProcess server = await _faults.StartAsync(Db);
        _faults.Fail(FaultyCalls.Read, DatabaseName, InputOutputError);
        using HttpResponseMessage refused = await server.SendAsync(HttpMethod.Get, $"v0/keypackage/{_device.Hex}");
        await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, refused);
        using HttpResponseMessage unready = await server.SendAsync(HttpMethod.Get, "health/ready");
        await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, unready);
        using HttpResponseMessage unwritten = await server.PublishAsync(new Device(), [1]);
        await ProblemAssert.IsProblemAsync(HttpStatusCode.ServiceUnavailable, unwritten);
        _faults.Stop();
        Assert.Equal(payload, await server.FetchAsync(_device));
        await server.PrintedAsync("Bundles can be read again");
    }

    [Fact]
    public async Task A_database_whose_pages_can_t_be_read_is_refused_at_the_start()
    {
        await using (RegistryProcess server = await _faults.StartAsync(Db))
        {
            await PublishAsync(server, 1);
            server.Terminate();
            Assert.Equal(0, await server.ExitAsync());
        }

        _faults.Fail(FaultyCalls.Read, DatabaseName, InputOutputError);
        await using RegistryProcess refused = RegistryProcess.Start(
            RegistryProcess.Executable, 0, ["--bind", "127.0.0.1:0", "--db", Db], environment: _faults.Environment);
        Assert.Equal(2, await refused.ExitAsync());
        Assert.Contains($"{Db}: its disk reports an input/output error", refused.Errors, StringComparison.Ordinal);
    }

    private static void LimitFiles(RegistryProcess server, string size) =>
        Assert.Equal(0, Shell.Run("/usr/bin/prlimit", $"--pid={server.Id}", $"--fsize={size}:unlimited"));

    // The flush is known to have failed a moment before the registry knows.
    private static async Task RefusedAsync(RegistryProcess server)
    {
        HttpStatusCode status = HttpStatusCode.NoContent;
        for (int i = 0; i < 100 && status == HttpStatusCode.NoContent; i++)
        {
            using HttpResponseMessage response = await server.PublishAsync(new Device(), [1]);
            status = response.StatusCode;
        }

        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
    }

    // In one go, more than the log holds before it is copied.
    private static byte[] LongEnoughToBeCopied() => Device.RandomPayload(20_000_000);

    private Task PublishAsync(RegistryProcess server, byte payload) => PublishAsync(server, [payload]);

    private async Task PublishAsync(RegistryProcess server, byte[] payload)
    {
        using HttpResponseMessage response = await server.PublishAsync(_device, payload);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
    }
}
