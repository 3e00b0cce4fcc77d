using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Numerics;

namespace RegistryFunctions.Hosting;

/// <summary>What an operator can set, each value known to make sense.</summary>
public sealed record RegistryOptions
{
    /// <summary>Environment variables of the registry begin with this and two underscores.</summary>
    public const string Section = "Registry";

    private const string NoProxies = "none";

    private static readonly Setting<IPEndPoint> BindSetting = new(
        "--bind", nameof(Bind), "addr:port", "0.0.0.0:8080",
        "Address to serve on when stand-alone; port 0 takes a free one",
        "an IP address and a port, such as 127.0.0.1:8080 or [::]:8080",
        TryParseEndPoint);

    private static readonly Setting<string> DbSetting = new(
        "--db", nameof(Db), "path", "keypackage-registry.db",
        "SQLite file, on a local disk; the server creates it with its folders where missing",
        "the path of a file",
        (string text, out string? path) => IsPath(path = text));

    private static readonly Setting<int> MaxPerIdentitySetting = Number(
        "--max-per-identity", nameof(MaxPerIdentity), "n", 5, "Bundles kept per device", 1, 1_000);

    private static readonly Setting<int> RetentionDaysSetting = Number(
        "--retention-days", nameof(RetentionDays), "n", 30, "Days a bundle is kept", 1, 36_500);

    private static readonly Setting<int> PruneIntervalSecsSetting = Number(
        "--prune-interval-secs", nameof(PruneIntervalSecs), "n", 3_600,
        "Seconds between prunes when stand-alone", 1, 4_000_000);

    private static readonly Setting<int> ReplayWindowDaysSetting = Number(
        "--replay-window-days", nameof(ReplayWindowDays), "n", 90,
        "Days after its acceptance that a superseded payload is refused; 0 for not at all", 0, 36_500);

    private static readonly Setting<int> MaxBodyBytesSetting = Number(
        "--max-body-bytes", nameof(MaxBodyBytes), "n", 64 * 1024,
        "Largest request body accepted, in bytes", 1_024, 64 * 1024 * 1024);

    private static readonly Setting<int> MaxConnectionsSetting = Number(
        "--max-connections", nameof(MaxConnections), "n", 20_000,
        "Connections served at once; one more is closed unanswered", 1, 10_000_000);

    private static readonly Setting<long> MaxDbBytesSetting = Number(
        "--max-db-bytes", nameof(MaxDbBytes), "n", 0L,
        "Largest size of the SQLite file, in bytes; 0 for no limit but the disk's", 0, 1L << 43,
        "0 or a whole number from 1048576", value => value is 0 or >= 1024 * 1024);

    private static readonly Setting<bool> VerifyOnReadSetting = new(
        "--verify-on-read", nameof(VerifyOnRead), "true|false", "false",
        "Verify the signature of every bundle that is fetched, not its checksum alone",
        "true or false",
        (string text, out bool value) => bool.TryParse(text, out value));

    private static readonly Setting<int> MaxRequestsPerMinuteSetting = Number(
        "--max-requests-per-minute", nameof(MaxRequestsPerMinute), "n", 0,
        "Requests a minute from one client address, of IPv6 from one /64; 0 for no limit", 0, 1_000_000);

    private static readonly Setting<int> MaxPublishesPerHourSetting = Number(
        "--max-publishes-per-hour", nameof(MaxPublishesPerHour), "n", 0,
        "New bundles an hour of one device; 0 for no limit", 0, 1_000_000);

    private static readonly Setting<IReadOnlyList<IPNetwork>> TrustedProxiesSetting = new(
        "--trusted-proxies", nameof(TrustedProxies), "addr[/prefix],...", NoProxies,
        "Proxies whose X-Forwarded-For tells the client's address",
        $"{NoProxies}, or addresses and networks with commas between them, such as 127.0.0.1,10.1.0.0/16",
        TryParseNetworks);

    /// <summary>Where to serve when stand-alone.</summary>
    public required IPEndPoint Bind { get; init; }

    /// <summary>Path of the SQLite file.</summary>
    public required string Db { get; init; }

    /// <summary>How many bundles a device may hold.</summary>
    public required int MaxPerIdentity { get; init; }

    /// <summary>Days a bundle is kept.</summary>
    public required int RetentionDays { get; init; }

    /// <summary>Seconds between prunes when stand-alone.</summary>
    public required int PruneIntervalSecs { get; init; }

    /// <summary>Days after its acceptance that a superseded payload is refused; 0 for not at all.</summary>
    public required int ReplayWindowDays { get; init; }

    /// <summary>Largest request body accepted, in bytes.</summary>
    public required int MaxBodyBytes { get; init; }

    /// <summary>Connections served at once.</summary>
    public required int MaxConnections { get; init; }

    /// <summary>Largest size of the SQLite file, in bytes; 0 for no limit.</summary>
    public required long MaxDbBytes { get; init; }

    /// <summary>Whether the signature of every fetched bundle is verified.</summary>
    public required bool VerifyOnRead { get; init; }

    /// <summary>Requests a minute from one client address; 0 for no limit.</summary>
    public required int MaxRequestsPerMinute { get; init; }

    /// <summary>New bundles an hour of one device; 0 for no limit.</summary>
    public required int MaxPublishesPerHour { get; init; }

    /// <summary>Proxies whose X-Forwarded-For tells the client's address.</summary>
    public required IReadOnlyList<IPNetwork> TrustedProxies { get; init; }

    /// <summary>All settings.</summary>
    internal static IReadOnlyList<Setting> All { get; } =
    [
        BindSetting, DbSetting, MaxPerIdentitySetting, RetentionDaysSetting, PruneIntervalSecsSetting,
        ReplayWindowDaysSetting, MaxBodyBytesSetting, MaxConnectionsSetting, MaxDbBytesSetting, VerifyOnReadSetting,
        MaxRequestsPerMinuteSetting, MaxPublishesPerHourSetting, TrustedProxiesSetting,
    ];

    /// <summary>The flag that names the SQLite file.</summary>
    internal static Option DbFlag => DbSetting.Flag;

    /// <summary>Reads all settings where there is no command line.</summary>
    /// <exception cref="SettingException">A value makes no sense, or a variable names no setting.</exception>
    public static RegistryOptions FromConfiguration(IConfiguration configuration) => Read(flags: null, configuration);

    /// <summary>Reads all settings: a flag wins over a variable, a variable over the default.</summary>
    /// <exception cref="SettingException">A value makes no sense, or a variable names no setting.</exception>
    internal static RegistryOptions Read(ParseResult? flags, IConfiguration configuration)
    {
        IConfigurationSection section = KnownSettings(configuration);
        return new RegistryOptions
        {
            Bind = BindSetting.Read(flags, section),
            Db = DbSetting.Read(flags, section),
            MaxPerIdentity = MaxPerIdentitySetting.Read(flags, section),
            RetentionDays = RetentionDaysSetting.Read(flags, section),
            PruneIntervalSecs = PruneIntervalSecsSetting.Read(flags, section),
            ReplayWindowDays = ReplayWindowDaysSetting.Read(flags, section),
            MaxBodyBytes = MaxBodyBytesSetting.Read(flags, section),
            MaxConnections = MaxConnectionsSetting.Read(flags, section),
            MaxDbBytes = MaxDbBytesSetting.Read(flags, section),
            VerifyOnRead = VerifyOnReadSetting.Read(flags, section),
            MaxRequestsPerMinute = MaxRequestsPerMinuteSetting.Read(flags, section),
            MaxPublishesPerHour = MaxPublishesPerHourSetting.Read(flags, section),
            TrustedProxies = TrustedProxiesSetting.Read(flags, section),
        };
    }

    /// <summary>Reads the path of the SQLite file alone; what else is set need not make sense.</summary>
    /// <exception cref="SettingException">It is no path, or a variable names no setting.</exception>
    internal static string ReadDb(ParseResult flags, IConfiguration configuration) =>
        DbSetting.Read(flags, KnownSettings(configuration));

    /// <summary>Whether the text can be the path of a file.</summary>
    internal static bool IsPath(string text) => !string.IsNullOrWhiteSpace(text) && !text.Contains('\0');

    // A variable that is misspelt would leave a setting at its default in silence.
    private static IConfigurationSection KnownSettings(IConfiguration configuration)
    {
        IConfigurationSection section = configuration.GetSection(Section);
        foreach (IConfigurationSection set in section.GetChildren())
        {
            if (!All.Any(setting => set.Key.Equals(setting.Name, StringComparison.OrdinalIgnoreCase)))
            {
                throw new SettingException(
                    $"{Section}__{set.Key}: is no setting; there are {string.Join(", ", All.Select(setting => setting.Variable))}");
            }
        }

        return section;
    }

    private static Setting<T> Number<T>(
        string flag, string name, string argument, T defaultValue, string description, T least, T most)
        where T : IBinaryInteger<T> =>
        Number(
            flag, name, argument, defaultValue, description, least, most,
            string.Create(CultureInfo.InvariantCulture, $"a whole number from {least} to {most}"), _ => true);

    private static Setting<T> Number<T>(
        string flag, string name, string argument, T defaultValue, string description, T least, T most, string must,
        Predicate<T> allowed)
        where T : IBinaryInteger<T> =>
        new(
            flag, name, argument, string.Create(CultureInfo.InvariantCulture, $"{defaultValue}"), description, must,
            (string text, out T? value) =>
                T.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value)
                && value >= least && value <= most && allowed(value));

    // IPEndPoint takes an address without a port too; here the port must be said.
    private static bool TryParseEndPoint(string text, out IPEndPoint? endPoint) =>
        IPEndPoint.TryParse(text, out endPoint)
        && text.EndsWith(string.Create(CultureInfo.InvariantCulture, $":{endPoint.Port}"), StringComparison.Ordinal)
        && (endPoint.AddressFamily == AddressFamily.InterNetwork || text.StartsWith('['));

    // An address alone is a network of one.
    private static bool TryParseNetworks(string text, out IReadOnlyList<IPNetwork>? networks)
    {
        var parsed = new List<IPNetwork>();
        networks = parsed;
        foreach (string item in text == NoProxies ? [] : text.Split(',', StringSplitOptions.TrimEntries))
        {
            // Not "10", which is another way to write 0.0.0.10.
            if (IPAddress.TryParse(item, out IPAddress? address) && (item == address.ToString() || item.Contains(':')))
            {
                parsed.Add(new IPNetwork(address, address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128));
            }
            else if (IPNetwork.TryParse(item, out IPNetwork network))
            {
                parsed.Add(network);
            }
            else
            {
                return false;
            }
        }

        return true;
    }
}
