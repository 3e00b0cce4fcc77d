using System.Reflection;
using Microsoft.Extensions.Configuration;
using RegistryFunctions.Hosting;
using RegistryFunctions.Settings;

namespace RegistryFunctions.Tests.Settings;

/// <summary>What is in force when nothing is set, when every flag is, and when every variable is.</summary>
public sealed class RegistryOptionsTests
{
    [Fact]
    public void With_nothing_set_the_defaults_are_those_of_the_contract() =>
        AssertEqual(
            new RegistryOptions
            {
                Bind = "0.0.0.0:8080",
                Db = "keypackage-registry.db",
                DbPassword = "",
                AutoMigrate = true,
                AllowLossyCommits = false,
                DbTransactionPerDevice = false,
                MaxPerIdentity = 5,
                RetentionDays = 30,
                PruneIntervalSecs = 3600,
                ReplayWindowDays = 90,
                MaxBodyBytes = 64 * 1024,
                MaxConnections = 20_000,
                MaxDbBytes = 0,
                AllowNetworkFs = false,
                VerifyOnRead = false,
                MaxRequestsPerMinute = 0,
                MaxPublishesPerHour = 0,
                TrustedProxies = "none",
            },
            SettingsReader.Read(new ConfigurationBuilder().Build()));

    [Fact]
    public async Task Every_flag_is_in_force()
    {
        RegistryOptions? read = null;
        int exitCode = await CommandLine.RunAsync(
            [
                "--bind", "[::1]:9090",
                "--db", "elsewhere/other.db",
                "--max-per-identity", "6",
                "--retention-days", "31",
                "--prune-interval-secs", "3601",
                "--replay-window-days", "91",
                "--max-body-bytes", "65537",
                "--max-connections", "20001",
                "--max-db-bytes", "1048577",
                "--allow-network-fs", "true",
                "--verify-on-read", "true",
                "--max-requests-per-minute", "601",
                "--max-publishes-per-hour", "61",
                "--trusted-proxies", "10.0.0.0/8,::1",
            ],
            options =>
            {
                read = options;
                return Task.FromResult(7);
            });
        Assert.Equal(7, exitCode);
        AssertEqual(
            new RegistryOptions
            {
                Bind = "[::1]:9090",
                Db = "elsewhere/other.db",
                MaxPerIdentity = 6,
                RetentionDays = 31,
                PruneIntervalSecs = 3601,
                ReplayWindowDays = 91,
                MaxBodyBytes = 65_537,
                MaxConnections = 20_001,
                MaxDbBytes = 1_048_577,
                AllowNetworkFs = true,
                VerifyOnRead = true,
                MaxRequestsPerMinute = 601,
                MaxPublishesPerHour = 61,
                TrustedProxies = "10.0.0.0/8,::1",
            },
            read);
    }

    [Fact]
    public async Task Verify_on_read_without_a_value_is_true()
    {
        bool? verifies = null;
        await CommandLine.RunAsync(["--verify-on-read"], options =>
        {
            verifies = options.VerifyOnRead;
            return Task.FromResult(0);
        });
        Assert.True(verifies);
    }

    [Fact]
    public void Every_variable_is_in_force() =>
        AssertEqual(
            new RegistryOptions
            {
                Bind = "192.0.2.4:4",
                Db = "/by/variable.db",
                MaxPerIdentity = 4,
                RetentionDays = 29,
                PruneIntervalSecs = 3599,
                ReplayWindowDays = 89,
                MaxBodyBytes = 65_535,
                MaxConnections = 19_999,
                MaxDbBytes = 1_048_578,
                AllowNetworkFs = true,
                VerifyOnRead = true,
                MaxRequestsPerMinute = 599,
                MaxPublishesPerHour = 59,
                TrustedProxies = "192.0.2.7",
            },
            FromVariables(
                ("Registry__Bind", "192.0.2.4:4"),
                ("Registry__Db", "/by/variable.db"),
                ("Registry__MaxPerIdentity", "4"),
                ("Registry__RetentionDays", "29"),
                ("Registry__PruneIntervalSecs", "3599"),
                ("Registry__ReplayWindowDays", "89"),
                ("Registry__MaxBodyBytes", "65535"),
                ("Registry__MaxConnections", "19999"),
                ("Registry__MaxDbBytes", "1048578"),
                ("Registry__AllowNetworkFs", "true"),
                ("Registry__VerifyOnRead", "true"),
                ("Registry__MaxRequestsPerMinute", "599"),
                ("Registry__MaxPublishesPerHour", "59"),
                ("Registry__TrustedProxies", "192.0.2.7")));

    [Theory]
    [InlineData("Registry__MaxPerIdentity", 1, 1_000)]
    [InlineData("Registry__RetentionDays", 1, 36_500)]
    [InlineData("Registry__PruneIntervalSecs", 1, 4_000_000)]
    [InlineData("Registry__ReplayWindowDays", 0, 36_500)]
    [InlineData("Registry__MaxBodyBytes", 1_024, 64 * 1024 * 1024)]
    [InlineData("Registry__MaxConnections", 1, 10_000_000)]
    [InlineData("Registry__MaxDbBytes", 1024 * 1024, 1L << 43)]
    public void A_number_is_taken_from_the_least_to_the_most_that_makes_sense(string variable, long least, long most)
    {
        FromVariables((variable, $"{least}"));
        FromVariables((variable, $"{most}"));
        Assert.Throws<SettingException>(() => FromVariables((variable, $"{least - 1}")));
        Assert.Throws<SettingException>(() => FromVariables((variable, $"{most + 1}")));
    }

    [Theory]
    [InlineData("Registry__RetentionDay", "7", "Registry__RetentionDay: is not a setting; the settings are Registry__Bind, ")]
    [InlineData("Registry__MaxPerIdentity__x", "1", "Registry__MaxPerIdentity__x: is not a setting")]
    [InlineData("Registry__Db__0", "a.db", "Registry__Db__0: is not a setting")]
    [InlineData("Logging__LogLevel__Default", "Loud", "Logging__LogLevel__Default: must be one of Trace, ")]
    [InlineData("Logging__LogLevel__Default", "42", "Logging__LogLevel__Default: must be one of Trace, ")]
    [InlineData("Logging__LogLevel__Default", "-1", "Logging__LogLevel__Default: must be one of Trace, ")]
    [InlineData("Logging__LogLevel__Default", "Information,Warning", "Logging__LogLevel__Default: must be one of Trace, ")]
    [InlineData("Logging__LogLevel__Default", "", "Logging__LogLevel__Default: must be one of Trace, ")]
    [InlineData("Logging__LogLevel", "Debug", "Logging__LogLevel: is not a setting; Logging__LogLevel__Default sets the level")]
    [InlineData("Logging__LogLevel__Default__0", "Debug", "Logging__LogLevel__Default: must be one of Trace, ")]
    public void A_variable_that_means_nothing_is_refused(string variable, string value, string expected)
    {
        SettingException refused = Assert.Throws<SettingException>(() => FromVariables((variable, value)));
        Assert.StartsWith(expected, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
    }

    [Theory]
    [InlineData("Logging__LogLevel__Default", "warning")]
    [InlineData("Logging__LogLevel__Microsoft.AspNetCore", "Debug")]
    [InlineData("registry__maxperidentity", "7")]
    public void Variables_are_taken_in_either_case(string variable, string value) => FromVariables((variable, value));

    [Fact]
    public async Task What_is_PostgreSQL_s_is_in_force_by_flag_and_by_variable()
    {
        const string Db = "postgres://me@db.example/keys";
        RegistryOptions? read = null;
        await CommandLine.RunAsync(
            ["--db", Db, "--auto-migrate", "false", "--allow-lossy-commits", "--db-transaction-per-device"],
            options =>
            {
                read = options;
                return Task.FromResult(0);
            });
        AssertEqual(new() { Db = Db, AutoMigrate = false, AllowLossyCommits = true, DbTransactionPerDevice = true }, read);
        AssertEqual(
            new() { Db = Db, DbPassword = "secret", AutoMigrate = false, AllowLossyCommits = true, DbTransactionPerDevice = true },
            FromVariables(
                ("Registry__Db", Db),
                ("Registry__DbPassword", "secret"),
                ("Registry__AutoMigrate", "false"),
                ("Registry__AllowLossyCommits", "true"),
                ("Registry__DbTransactionPerDevice", "true")));
    }

    [Theory]
    [InlineData("postgres://me@db.example", "Registry__AllowNetworkFs", "true", "Registry__AllowNetworkFs: means nothing with PostgreSQL")]
    [InlineData("postgres://me@db.example", "Registry__MaxDbBytes", "1048576", "Registry__MaxDbBytes: means nothing with PostgreSQL")]
    [InlineData("registry.db", "Registry__DbPassword", "secret", "Registry__DbPassword: means nothing with SQLite")]
    [InlineData("registry.db", "Registry__AutoMigrate", "true", "Registry__AutoMigrate: means nothing with SQLite")]
    [InlineData("registry.db", "Registry__AllowLossyCommits", "true", "Registry__AllowLossyCommits: means nothing with SQLite")]
    [InlineData("registry.db", "Registry__DbTransactionPerDevice", "true", "Registry__DbTransactionPerDevice: means nothing with SQLite")]
    public void What_means_nothing_with_a_database_is_refused(string db, string variable, string value, string expected)
    {
        SettingException refused = Assert.Throws<SettingException>(() => FromVariables(("Registry__Db", db), (variable, value)));
        Assert.StartsWith(expected, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("postgres://me:secret@db.example/keys")]
    [InlineData("Host=db.example;Password=secret")]
    public void A_password_in_an_argument_is_refused_as_others_can_see_it(string db)
    {
        SettingException refused = Assert.Throws<SettingException>(() => SettingsReader.Read(
            new ConfigurationBuilder().Build(), new Dictionary<string, string?> { [nameof(RegistryOptions.Db)] = db }));
        Assert.StartsWith("--db: has a password in it", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", refused.Message, StringComparison.Ordinal);
        Assert.Equal(db, FromVariables(("Registry__Db", db)).Db);
    }

    private static void AssertEqual(RegistryOptions expected, RegistryOptions? read)
    {
        Assert.NotNull(read);
        Assert.All(
            typeof(RegistryOptions).GetProperties(),
            (PropertyInfo property) => Assert.Equal(property.GetValue(expected), property.GetValue(read)));
    }

    // As the framework reads them from the environment: two underscores divide a section from a name.
    private static RegistryOptions FromVariables(params (string Name, string Value)[] variables) =>
        SettingsReader.Read(new ConfigurationBuilder()
            .AddInMemoryCollection(variables.ToDictionary(
                variable => variable.Name.Replace("__", ConfigurationPath.KeyDelimiter, StringComparison.Ordinal),
                variable => (string?)variable.Value))
            .Build());
}
