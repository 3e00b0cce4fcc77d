using System.Net;
using Microsoft.Data.Sqlite;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>The check command of the executable.</summary>
public sealed class CheckTests : IDisposable
{
    private readonly TestFolder _folder = new();

    private string Db => _folder.File("registry.db");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_sound_file_is_sound_and_not_changed()
    {
        await ServeAsync(devices: 3);
        byte[] before = await File.ReadAllBytesAsync(Db);
        RegistryCommand check = await RegistryCommand.RunAsync(["check", Db]);
        Assert.Equal("6 bundles of 3 devices: all sound", check.Output);
        Assert.Empty(check.Errors);
        Assert.Equal(0, check.ExitCode);
        Assert.Equal(before, await File.ReadAllBytesAsync(Db));
        Assert.Equal([Db], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public async Task The_file_of_a_running_server_is_checked_and_left_as_it_is()
    {
        await using RegistryProcess server = RegistryProcess.StartAlone(Db);
        await server.ReadyAsync();
        await PublishAsync(server, devices: 3);
        byte[] before = await File.ReadAllBytesAsync(Db);
        byte[] logBefore = await File.ReadAllBytesAsync($"{Db}-wal");
        RegistryCommand check = await RegistryCommand.RunAsync(["check", Db]);
        Assert.Equal("6 bundles of 3 devices: all sound", check.Output);
        Assert.Equal(0, check.ExitCode);
        Assert.Equal(before, await File.ReadAllBytesAsync(Db));
        Assert.Equal(logBefore, await File.ReadAllBytesAsync($"{Db}-wal"));
        await PublishAsync(server, devices: 1);
    }

    [Fact]
    public async Task What_a_killed_server_left_is_checked_with_its_log_and_left_as_it_is()
    {
        await using (RegistryProcess server = RegistryProcess.StartAlone(Db))
        {
            await server.ReadyAsync();
            await PublishAsync(server, devices: 3);
            server.Kill();
            await server.ExitAsync();
        }

        byte[] before = await File.ReadAllBytesAsync(Db);
        byte[] logBefore = await File.ReadAllBytesAsync($"{Db}-wal");
        string[] filesBefore = Directory.GetFiles(_folder.Path);
        RegistryCommand check = await RegistryCommand.RunAsync(["check", Db]);
        Assert.Equal("6 bundles of 3 devices: all sound", check.Output);
        Assert.Equal(before, await File.ReadAllBytesAsync(Db));
        Assert.Equal(logBefore, await File.ReadAllBytesAsync($"{Db}-wal"));
        Assert.Equal(filesBefore.Order(), Directory.GetFiles(_folder.Path).Order());

        File.Delete($"{Db}-shm");
        (await RegistryCommand.RunAsync(["check", Db])).AssertRefused("has its -wal file beside it, but not its -shm");
        Assert.False(File.Exists($"{Db}-shm"));
    }

    [Fact]
    public async Task A_row_that_no_fetch_would_find_is_found()
    {
        await ServeAsync(devices: 3);
        using (SqliteConnection connection = Open())
        {
            Write(connection, "head", seq: 4, 0);
        }

        RegistryCommand check = await RegistryCommand.RunAsync(["check", Db]);
        Assert.Equal(1, check.ExitCode);
        Assert.Contains("row 4: is damaged", check.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("payload")]
    [InlineData("signature")]
    [InlineData("device")]
    public async Task A_flipped_byte_is_found(string column)
    {
        await ServeAsync(devices: 30);
        FlipByteOf(column, seq: 17);
        RegistryCommand check = await RegistryCommand.RunAsync(["check", Db]);
        Assert.Equal(1, check.ExitCode);
        Assert.Contains("row 17: is damaged: its checksum does not match\n", check.Output, StringComparison.Ordinal);
        Assert.Matches("^60 bundles of 3[01] devices: 1 damaged", check.LastLine);
        Assert.Empty(check.Errors);
    }

    [Fact]
    public async Task A_signature_that_does_not_verify_is_found_though_its_checksum_is_right()
    {
        await ServeAsync(devices: 30);
        Forge(seq: 17);
        RegistryCommand check = await RegistryCommand.RunAsync(["check", Db]);
        Assert.Equal("row 17: its signature does not verify\n60 bundles of 30 devices: 1 damaged", check.Output);
        Assert.Equal(1, check.ExitCode);
    }

    [Fact]
    public async Task Of_many_damaged_rows_twenty_are_named_and_all_are_counted()
    {
        await ServeAsync(devices: 30);
        using (var database = new Database(Db))
        {
            database.Execute("UPDATE accepted SET checksum = checksum + 1 WHERE seq > 5");
        }

        RegistryCommand check = await RegistryCommand.RunAsync(["check", Db]);
        string[] lines = check.Output.Split('\n');
        Assert.Equal(22, lines.Length);
        Assert.StartsWith("row 6: ", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("row 25: ", lines[19], StringComparison.Ordinal);
        Assert.Equal("and 35 more", lines[20]);
        Assert.Equal("60 bundles of 30 devices: 55 damaged", lines[21]);
    }

    [Fact]
    public async Task A_truncated_file_is_found_damaged()
    {
        await ServeAsync(devices: 100, payload: 4_000);
        long length = new FileInfo(Db).Length;
        foreach (long rest in new[] { length - 1, length / 2, length / 2 / 4_096 * 4_096, 4_096 })
        {
            using (FileStream file = File.OpenWrite(Db))
            {
                file.SetLength(rest);
            }

            RegistryCommand check = await AssertStructureIsDamagedAsync();
            Assert.StartsWith($"structure: the file is cut off: it is {rest} bytes long, not {length}\n", check.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_file_that_was_overwritten_in_its_middle_is_found_damaged()
    {
        await ServeAsync(devices: 100, payload: 4_000);
        using (FileStream file = File.OpenWrite(Db))
        {
            file.Position = file.Length / 4;
            file.Write([.. Enumerable.Repeat((byte)0xA5, (int)file.Length / 2)]);
        }

        await AssertStructureIsDamagedAsync();
    }

    [Fact]
    public async Task A_row_missing_from_an_index_is_found()
    {
        await ServeAsync(devices: 3);
        using (var database = new Database(Db))
        {
            database.Execute(
                """
                PRAGMA writable_schema = ON;
                UPDATE sqlite_schema SET sql = replace(sql, 'WHERE payload', 'WHERE seq <> 4 AND payload') WHERE name = 'bundle_by_age';
                """);
        }

        using (var database = new Database(Db))
        {
            database.Execute("REINDEX; PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'seq <> 4 AND ', '')");
        }

        RegistryCommand check = await RegistryCommand.RunAsync(["check", Db]);
        Assert.Equal(
            """
            structure: row 4 missing from index bundle_by_age
            6 bundles of 3 devices: the structure of the database is damaged
            """,
            check.Output);
        Assert.Equal(1, check.ExitCode);
    }

    [Fact]
    public async Task What_is_no_registry_s_file_can_t_be_checked()
    {
        (await RegistryCommand.RunAsync(["check", Db])).AssertRefused($"{Db}: there is no such file");
        Assert.False(File.Exists(Db));
        (await RegistryCommand.RunAsync(["check", _folder.Path])).AssertRefused("is a folder");
        (await RegistryCommand.RunAsync(["check", " "])).AssertRefused("db: must be the path of a file");
        await File.WriteAllTextAsync(Db, new string('x', 5_000));
        (await RegistryCommand.RunAsync(["check", Db])).AssertRefused("is not a SQLite database");
        File.Delete(Db);
        using (var other = new Database(Db))
        {
            other.Execute("CREATE TABLE bundle (x)");
        }

        (await RegistryCommand.RunAsync(["check", Db])).AssertRefused("of another program");
        File.Delete(Db);
        await ServeAsync(devices: 1);
        using (var newer = new Database(Db))
        {
            newer.Execute("PRAGMA user_version = 1000");
        }

        (await RegistryCommand.RunAsync(["check", Db])).AssertRefused("newer release (schema 1000");
    }

    [Theory]
    [InlineData("check", "db")]
    [InlineData("migrate", "db")]
    [InlineData("backup", "file")]
    public async Task The_help_of_a_command_says_what_it_takes(string command, string argument)
    {
        RegistryCommand help = await RegistryCommand.RunAsync([command, "--help"]);
        Assert.Equal(0, help.ExitCode);
        Assert.Contains($"RegistryFunctions {command} <{argument}>", help.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("--bind", help.Output, StringComparison.Ordinal);
        (await RegistryCommand.RunAsync([command])).AssertRefused($"'{argument}' missing");
        (await RegistryCommand.RunAsync([command, "a", "b"])).AssertRefused("'b'");
        (await RegistryCommand.RunAsync([command, "a", "--bind", "127.0.0.1:80"])).AssertRefused("'--bind'");
    }

    private static async Task PublishAsync(RegistryProcess server, int devices, int payload = 0)
    {
        for (int i = 0; i < devices; i++)
        {
            var device = new Device();
            for (byte n = 1; n <= 2; n++)
            {
                using HttpResponseMessage response = await server.PublishAsync(device, [n, .. Device.RandomPayload(payload)]);
                Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
            }
        }
    }

    // Two bundles a device.
    private async Task ServeAsync(int devices, int payload = 0)
    {
        await using RegistryProcess server = RegistryProcess.StartAlone(Db);
        await server.ReadyAsync();
        await PublishAsync(server, devices, payload);
        server.Terminate();
        Assert.Equal(0, await server.ExitAsync());
    }

    // By value and not in the file, so that nothing but the row is wrong.
    private void FlipByteOf(string column, long seq)
    {
        using SqliteConnection connection = Open();
        byte[] value = Read<byte[]>(connection, column, seq);
        value[^1] ^= 1;
        Write(connection, column, seq, value);
    }

    private void Forge(long seq)
    {
        using SqliteConnection connection = Open();
        byte[] signature = Read<byte[]>(connection, "signature", seq);
        signature[5] ^= 1;
        long checksum = Digest.OfRow(
            new DeviceId(Read<byte[]>(connection, "device", seq)), new Signature(signature), Read<long>(connection, "digest", seq));
        Write(connection, "signature", seq, signature);
        Write(connection, "checksum", seq, checksum);
    }

    private SqliteConnection Open()
    {
        var connection = new SqliteConnection($"Data Source={Db};Pooling=False");
        connection.Open();
        return connection;
    }

#pragma warning disable CA2100 // Constants of the tests.
    private static T Read<T>(SqliteConnection connection, string column, long seq)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = $"SELECT {column} FROM bundle WHERE seq = {seq}";
        return (T)command.ExecuteScalar()!;
    }

    private static void Write(SqliteConnection connection, string column, long seq, object value)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = $"UPDATE accepted SET {column} = @value WHERE seq = {seq}";
        command.Parameters.AddWithValue("@value", value);
        Assert.Equal(1, command.ExecuteNonQuery());
    }
#pragma warning restore CA2100

    private async Task<RegistryCommand> AssertStructureIsDamagedAsync()
    {
        byte[] before = await File.ReadAllBytesAsync(Db);
        RegistryCommand check = await RegistryCommand.RunAsync(["check", Db]);
        Assert.Equal(1, check.ExitCode);
        Assert.StartsWith("structure: ", check.Output, StringComparison.Ordinal);
        Assert.EndsWith("the structure of the database is damaged", check.LastLine, StringComparison.Ordinal);
        Assert.Empty(check.Errors);
        Assert.DoesNotContain("Exception", check.Output, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllBytesAsync(Db));
        return check;
    }
}
