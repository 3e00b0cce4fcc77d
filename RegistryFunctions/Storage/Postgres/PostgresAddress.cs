using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.RegularExpressions;
using Npgsql;

namespace RegistryFunctions.Storage.Postgres;

/// <summary>
/// Where a PostgreSQL database is and how it is spoken to. It is written as a URL
/// (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING) or as a connection string of Npgsql
/// (https://www.npgsql.org/doc/connection-string-parameters.html).
/// </summary>
/// <remarks>May hold a password. <see cref="ToString"/> has none of it.</remarks>
internal sealed partial class PostgresAddress
{
    // libpq's names that are not Npgsql's, when case, spaces and underscores are left out.
    private static readonly Dictionary<string, string> Npgsql = new(StringComparer.OrdinalIgnoreCase)
    {
        ["user"] = "Username",
        ["dbname"] = "Database",
        ["sslcert"] = "SSL Certificate",
        ["sslrootcert"] = "Root Certificate",
        ["connecttimeout"] = "Timeout",
        ["targetsessionattrs"] = "Target Session Attributes",
    };

    private readonly NpgsqlConnectionStringBuilder _settings;

    private PostgresAddress(NpgsqlConnectionStringBuilder settings) => _settings = settings;

    /// <summary>Whether a password is written in it.</summary>
    public bool HasPassword => _settings.Password is not null || _settings.SslPassword is not null;

    /// <summary>Where the password is a token that does not last: gives the one to connect with now.</summary>
    public Func<CancellationToken, ValueTask<string>>? Token { get; init; }

    /// <summary>Whether it names several servers.</summary>
    public bool HasSeveralHosts => _settings.Host!.Contains(',', StringComparison.Ordinal);

    /// <summary>Whether the text names a PostgreSQL database rather than a file.</summary>
    public static bool IsAddress([NotNullWhen(true)] string? text) => text is not null && (IsUrl(text) || HostSetting().IsMatch(text));

    /// <summary>Reads a text that <see cref="IsAddress"/>. The error is one line that repeats no value of it.</summary>
    public static bool TryParse(
        string text, [NotNullWhen(true)] out PostgresAddress? address, [NotNullWhen(false)] out string? error)
    {
        address = null;
        var settings = new NpgsqlConnectionStringBuilder(PostgresTuning.Connection);
        string name = "";
        try
        {
            foreach ((string key, string value) in IsUrl(text) ? SplitUrl(text) : SplitConnectionString(text))
            {
                name = key;
                settings[NameOf(key)] = IsSslMode(key) ? value.Replace("-", "", StringComparison.Ordinal) : value;
            }
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidCastException or OverflowException)
        {
            error = name.Length == 0
                ? "is not a PostgreSQL URL or connection string"
                : $"{name} is no setting of a PostgreSQL connection, or its value makes no sense";
            return false;
        }

        if (string.IsNullOrEmpty(settings.Host))
        {
            error = "names no host";
            return false;
        }

        error = null;
        address = new PostgresAddress(settings);
        return true;
    }

    /// <summary>
    /// The address that the text is, null for a path; with the password where none is written in it, or with what gives tokens.
    /// </summary>
    public static PostgresAddress? Of(string db, string? password, Func<CancellationToken, ValueTask<string>>? token = null)
    {
        if (!IsAddress(db) || !TryParse(db, out PostgresAddress? address, out _))
        {
            return null;
        }

        address._settings.Password ??= string.IsNullOrEmpty(password) ? null : password;
        return new PostgresAddress(address._settings) { Token = token };
    }

    /// <summary>What Npgsql connects with. Has the password in it.</summary>
    public string ToConnectionString() => _settings.ConnectionString;

    /// <summary>Hosts, database, and the schema where one is named, as a URL for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"postgres://{_settings.Host}{(HasSeveralHosts ? "" : $":{_settings.Port}")}/{_settings.Database ?? _settings.Username}{(_settings.SearchPath is { Length: > 0 } schema ? $"?search_path={schema}" : "")}");

    // Without the slashes, too: what is meant as a URL must not be taken, and named, as a file.
    private static bool IsUrl(string text) =>
        text.StartsWith("postgres:", StringComparison.OrdinalIgnoreCase)
        || text.StartsWith("postgresql:", StringComparison.OrdinalIgnoreCase);

    private static string NameOf(string key) =>
        Npgsql.TryGetValue(key.Replace("_", "", StringComparison.Ordinal), out string? name) ? name : key.Replace('_', ' ');

    private static bool IsSslMode(string key) =>
        key.Replace(" ", "", StringComparison.Ordinal).Equals("sslmode", StringComparison.OrdinalIgnoreCase);

    private static IEnumerable<(string Name, string Value)> SplitConnectionString(string text)
    {
        var parts = new DbConnectionStringBuilder { ConnectionString = text };
        return parts.Keys.Cast<string>().Select(key => (key, (string)parts[key]));
    }

    // postgresql://[user[:password]@][host[:port][,…]][/database][?name=value[&…]]. System.Uri takes only one host.
    private static IEnumerable<(string Name, string Value)> SplitUrl(string url)
    {
        string[] afterScheme = url.Split("://", 2);
        (string main, string query) = afterScheme.Length == 2
            ? SplitAt(afterScheme[1], '?')
            : throw new FormatException();
        (string authority, string database) = SplitAt(main, '/');
        int at = authority.LastIndexOf('@');
        (string user, string password) = SplitAt(authority[..int.Max(0, at)], ':');
        string[] hosts = authority[(at + 1)..].Split(',');
        string[] port = PortOf().Split(hosts[0]);
        return ((IEnumerable<(string, string)>)
            [
                ("user", user),
                ("password", password),
                ("host", hosts.Length > 1 ? string.Join(',', hosts) : port[0].Trim('[', ']')),
                ("port", hosts.Length > 1 || port.Length == 1 ? "" : port[1]),
                ("dbname", database),
                .. query.Split('&').Select(setting => SplitAt(setting, '=')),
            ])
            .Where(setting => setting.Item2.Length > 0)
            .Select(setting => (setting.Item1, Uri.UnescapeDataString(setting.Item2)));
    }

    private static (string Before, string After) SplitAt(string text, char separator)
    {
        int at = text.IndexOf(separator, StringComparison.Ordinal);
        return at < 0 ? (text, "") : (text[..at], text[(at + 1)..]);
    }

    [GeneratedRegex(@"(^|;)\s*(host|server)\s*=", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex HostSetting();

    // Not within the brackets of an IPv6 address.
    [GeneratedRegex(@":(?=[^:\]]*$)", RegexOptions.CultureInvariant)]
    private static partial Regex PortOf();
}
