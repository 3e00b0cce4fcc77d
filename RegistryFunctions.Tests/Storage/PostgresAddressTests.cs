using Npgsql;
using RegistryFunctions.Storage.Postgres;

namespace RegistryFunctions.Tests.Storage;

public sealed class PostgresAddressTests
{
    [Theory]
    [InlineData("postgres://db.example", "db.example", 5432, null, null)]
    [InlineData("postgresql://me@db.example:6000/keys", "db.example", 6000, "keys", "me")]
    [InlineData("POSTGRES://me%40here@db.example/a%2Fb", "db.example", 5432, "a/b", "me@here")]
    [InlineData("postgres://me@[::1]:6000/keys", "::1", 6000, "keys", "me")]
    [InlineData("postgres://me@one:6000,two:6001/keys?target_session_attrs=read-write", "one:6000,two:6001", 5432, "keys", "me")]
    [InlineData("postgres:///keys?host=/var/run/postgresql&user=me", "/var/run/postgresql", 5432, "keys", "me")]
    [InlineData("Host=db.example;Port=6000;Database=keys;Username=me", "db.example", 6000, "keys", "me")]
    [InlineData("database=keys; server=db.example", "db.example", 5432, "keys", null)]
    public void A_URL_or_a_connection_string_names_a_database(string text, string host, int port, string? database, string? user)
    {
        NpgsqlConnectionStringBuilder settings = Settings(text);
        Assert.Equal((host, port, database, user), (settings.Host, settings.Port, settings.Database, settings.Username));
    }

    [Theory]
    [InlineData("postgres://db.example/keys?sslmode=verify-full&sslrootcert=/ca.pem&application_name=a%20b&connect_timeout=7")]
    [InlineData("Host=db.example;SSL Mode=verify-full;Root Certificate=/ca.pem;Application Name=a b;Timeout=7")]
    public void Its_settings_are_taken_over_in_either_spelling(string text)
    {
        NpgsqlConnectionStringBuilder settings = Settings(text);
        Assert.Equal(
            (SslMode.VerifyFull, "/ca.pem", "a b", 7),
            (settings.SslMode, settings.RootCertificate, settings.ApplicationName, settings.Timeout));
    }

    [Theory]
    [InlineData("registry.db")]
    [InlineData("/srv/host=1/registry.db")]
    [InlineData("")]
    [InlineData(null)]
    public void Anything_else_is_a_path(string? text) => Assert.False(PostgresAddress.IsAddress(text));

    [Theory]
    [InlineData("postgres:/me:secret@db.example", "is not a PostgreSQL URL or connection string")]
    [InlineData("postgres://me:secret@", "names no host")]
    [InlineData("postgres://me:secret@db.example:port/keys", "port is no setting")]
    [InlineData("postgres://me:secret@db.example/keys?colour=secret", "colour is no setting")]
    [InlineData("Host=db.example;Password=secret;Port=secret", "port is no setting")]
    [InlineData("Host=db.example;secret", "is not a PostgreSQL URL or connection string")]
    public void What_can_t_be_read_is_refused_without_repeating_it(string text, string reason)
    {
        Assert.True(PostgresAddress.IsAddress(text));
        Assert.False(PostgresAddress.TryParse(text, out _, out string? error));
        Assert.Contains(reason, error, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("secret", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("postgres://me:s%23cret@db.example:6000/keys", "s#cret")]
    [InlineData("Host=db.example;Port=6000;Database=keys;PWD=s#cret", "s#cret")]
    public void A_password_is_used_and_not_shown(string text, string password)
    {
        PostgresAddress address = PostgresAddress.Of(text, "another")!;
        Assert.True(address.HasPassword);
        Assert.Equal(password, new NpgsqlConnectionStringBuilder(address.ToConnectionString()).Password);
        Assert.Equal("postgres://db.example:6000/keys", address.ToString());
    }

    [Fact]
    public void A_password_from_elsewhere_is_used_where_the_address_has_none()
    {
        PostgresAddress address = PostgresAddress.Of("postgres://me@db.example/keys", "secret")!;
        Assert.Equal("secret", new NpgsqlConnectionStringBuilder(address.ToConnectionString()).Password);
        Assert.Null(PostgresAddress.Of("registry.db", "secret"));
    }

    private static NpgsqlConnectionStringBuilder Settings(string text) => new(PostgresAddress.Of(text, password: null)!.ToConnectionString());
}
