using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using RegistryFunctions.Storage.Postgres;

namespace RegistryFunctions.Settings;

/// <summary>Which databases a setting is for.</summary>
internal enum DatabaseKind
{
    /// <summary>Any, or none of them.</summary>
    Any,

    /// <summary>A file.</summary>
    Sqlite,

    /// <summary>A server.</summary>
    Postgres,
}

/// <summary>Makes a property a setting: the flag that sets it, what the help says of it, and which values it takes.</summary>
/// <param name="flag">The flag, such as <c>--db</c>; null where only a variable sets it.</param>
/// <param name="argument">What the help calls the value.</param>
/// <param name="description">What it sets.</param>
/// <param name="must">What a value must be, as a refusal says it.</param>
[AttributeUsage(AttributeTargets.Property)]
internal abstract class SettingAttribute(string? flag, string argument, string description, string must) : ValidationAttribute
{
    public string? Flag => flag;

    public string Argument => argument;

    public string Description => description;

    /// <summary>The only kind of database with which it means anything.</summary>
    public DatabaseKind On { get; init; }

    /// <summary>Why a text is refused.</summary>
    public virtual string Refuse(object? value) => string.Create(CultureInfo.InvariantCulture, $"must be {must}, not \"{value}\"");

    /// <inheritdoc/>
    protected override ValidationResult? IsValid(object? value, ValidationContext validationContext) =>
        IsValid(value) ? ValidationResult.Success : new ValidationResult(Refuse(value), [validationContext.MemberName!]);
}

/// <summary>A whole number, or 0 below the least where <paramref name="orZero"/> says so.</summary>
internal sealed class WholeNumberAttribute(string flag, string description, long least, long most, bool orZero = false)
    : SettingAttribute(
        flag, "n", description,
        orZero ? $"0 or a whole number from {least} to {most}" : $"a whole number from {least} to {most}")
{
    /// <inheritdoc/>
    public override bool IsValid(object? value) =>
        Convert.ToInt64(value, CultureInfo.InvariantCulture) is long number
        && ((number >= least && number <= most) || (orZero && number == 0));
}

/// <summary>True or false; the flag alone says true.</summary>
internal sealed class SwitchAttribute(string flag, string description)
    : SettingAttribute(flag, "true|false", description, "true or false")
{
    /// <inheritdoc/>
    public override bool IsValid(object? value) => value is bool;
}

/// <summary>A password: any text, which nobody is shown. No flag sets it, as every user of a machine sees those.</summary>
internal sealed class PasswordAttribute(string description) : SettingAttribute(null, "password", description, "a password")
{
    /// <inheritdoc/>
    public override bool IsValid(object? value) => true;
}

/// <summary>A managed identity. No flag sets it, as only a program that is deployed has one.</summary>
internal sealed class IdentityAttribute(string description)
    : SettingAttribute(null, "identity", description, $"{SystemAssigned}, or the client id of a user-assigned identity")
{
    /// <summary>The one that the platform made for the app.</summary>
    public const string SystemAssigned = "system";

    /// <inheritdoc/>
    public override bool IsValid(object? value) =>
        value is string text && (text.Length == 0 || text == SystemAssigned || Guid.TryParseExact(text, "D", out _));
}

/// <summary>The address of one PostgreSQL server: another one may lag more.</summary>
internal sealed class StandbyAttribute(string flag, string description)
    : SettingAttribute(flag, "url", description, "the URL of one PostgreSQL server")
{
    /// <inheritdoc/>
    public override bool IsValid(object? value) =>
        value is string text
        && (text.Length == 0 || (PostgresAddress.Of(text, password: null) is { } address && !address.HasSeveralHosts));

    /// <summary>Its value may have a password in it.</summary>
    public override string Refuse(object? value) => "must be the URL of one PostgreSQL server";
}

/// <summary>The path of a file, or the address of a PostgreSQL database.</summary>
internal sealed class DatabaseAttribute(string flag, string description)
    : SettingAttribute(flag, "path|url", description, "the path of a file or the URL of a PostgreSQL database")
{
    /// <summary>Which kind it is.</summary>
    public static DatabaseKind KindOf(string db) => PostgresAddress.IsAddress(db) ? DatabaseKind.Postgres : DatabaseKind.Sqlite;

    /// <summary>Whether the text can be the path of a file.</summary>
    public static bool IsPath(string? text) => !string.IsNullOrWhiteSpace(text) && !text.Contains('\0');

    /// <inheritdoc/>
    public override bool IsValid(object? value) =>
        PostgresAddress.IsAddress(value as string) ? PostgresAddress.TryParse((string)value!, out _, out _) : IsPath(value as string);

    /// <inheritdoc/>
    public override string Refuse(object? value) =>
        PostgresAddress.IsAddress(value as string) && !PostgresAddress.TryParse((string)value!, out _, out string? error)
            ? error
            : base.Refuse(value);
}

/// <summary>An IP address and a port.</summary>
internal sealed class EndPointAttribute(string flag, string description)
    : SettingAttribute(flag, "addr:port", description, "an IP address and a port, such as 127.0.0.1:8080 or [::]:8080")
{
    /// <inheritdoc/>
    public override bool IsValid(object? value) =>
        // IPEndPoint takes an address without a port too; here the port must be said.
        value is string text
        && IPEndPoint.TryParse(text, out IPEndPoint? endPoint)
        && text.EndsWith(string.Create(CultureInfo.InvariantCulture, $":{endPoint.Port}"), StringComparison.Ordinal)
        && (endPoint.AddressFamily == AddressFamily.InterNetwork || text.StartsWith('['));
}

/// <summary>Addresses and networks with commas between them, or <see cref="None"/>.</summary>
internal sealed class NetworksAttribute(string flag, string description)
    : SettingAttribute(
        flag, "addr[/prefix],...", description,
        $"{None}, or addresses and networks with commas between them, such as 127.0.0.1,10.1.0.0/16")
{
    public const string None = "none";

    /// <summary>The networks that the text names, an address alone being a network of one; null where it is no such list.</summary>
    public static IReadOnlyList<IPNetwork>? Parse(string text)
    {
        var networks = new List<IPNetwork>();
        foreach (string item in text == None ? [] : text.Split(',', StringSplitOptions.TrimEntries))
        {
            // Not "10", which is another way to write 0.0.0.10.
            if (IPAddress.TryParse(item, out IPAddress? address) && (item == address.ToString() || item.Contains(':')))
            {
                networks.Add(new IPNetwork(address, address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128));
            }
            else if (IPNetwork.TryParse(item, out IPNetwork network))
            {
                networks.Add(network);
            }
            else
            {
                return null;
            }
        }

        return networks;
    }

    /// <inheritdoc/>
    public override bool IsValid(object? value) => value is string text && Parse(text) is not null;
}
