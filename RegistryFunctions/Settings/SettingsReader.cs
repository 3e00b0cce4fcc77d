using System.Globalization;
using System.Reflection;
using Microsoft.Extensions.Options;
using RegistryFunctions.Storage.Postgres;

namespace RegistryFunctions.Settings;

/// <summary>A setting makes no sense. The message is one line that names it.</summary>
public sealed class SettingException(string message) : Exception(message);

/// <summary>Reads the settings: a flag wins over an environment variable, a variable over the default.</summary>
internal static class SettingsReader
{
    /// <summary>Environment variables of the registry begin with this and two underscores.</summary>
    public const string Section = "Registry";

    /// <summary>Every setting: a property of <see cref="RegistryOptions"/> and its attribute.</summary>
    public static IReadOnlyList<(PropertyInfo Property, SettingAttribute Setting)> All { get; } =
    [
        .. from property in typeof(RegistryOptions).GetProperties()
           let setting = property.GetCustomAttribute<SettingAttribute>()
           where setting is not null
           select (property, setting),
    ];

    /// <summary>The setting that names the database.</summary>
    public static (PropertyInfo Property, SettingAttribute Setting) Db { get; } =
        All.Single(setting => setting.Property.Name == nameof(RegistryOptions.Db));

    /// <summary>The environment variable of a setting.</summary>
    public static string Variable(string name) => $"{Section}__{name}";

    /// <summary>Reads all settings, and checks the log levels, which are the framework's.</summary>
    /// <param name="configuration">Has the environment variables.</param>
    /// <param name="flags">What flags say, by the name of the setting.</param>
    /// <exception cref="SettingException">A value makes no sense, or a variable names no setting.</exception>
    public static RegistryOptions Read(IConfiguration configuration, IReadOnlyDictionary<string, string?>? flags = null)
    {
        CheckLogLevels(configuration);
        return Read(configuration, flags ?? new Dictionary<string, string?>(), All);
    }

    /// <summary>Reads what names the database alone; what else is set need not make sense.</summary>
    /// <exception cref="SettingException">It names none, or a variable names no setting.</exception>
    public static RegistryOptions ReadDb(IConfiguration configuration, IReadOnlyDictionary<string, string?> flags) => Read(
        configuration,
        flags,
        [.. All.Where(setting => setting.Property.Name is nameof(RegistryOptions.Db) or nameof(RegistryOptions.DbPassword))]);

    /// <summary>Reads a database that a command is given.</summary>
    /// <param name="configuration">Has the environment variables.</param>
    /// <param name="name">The flag or the argument that names it.</param>
    /// <param name="db">The value of that.</param>
    /// <param name="passwordName">The variable that has its password, less the prefix.</param>
    /// <exception cref="SettingException">It names none.</exception>
    public static RegistryOptions ReadDb(IConfiguration configuration, string name, string db, string passwordName)
    {
        var options = new RegistryOptions { Db = db, DbPassword = configuration[$"{Section}:{passwordName}"] ?? "" };
        if (!Db.Setting.IsValid(db))
        {
            throw new SettingException($"{name}: {Db.Setting.Refuse(db)}");
        }

        RefusePassword(name, db, passwordName);
        return options;
    }

    private static RegistryOptions Read(
        IConfiguration configuration,
        IReadOnlyDictionary<string, string?> flags,
        IReadOnlyList<(PropertyInfo Property, SettingAttribute Setting)> wanted)
    {
        RefuseUnknown(configuration.GetSection(Section));
        var texts = new Dictionary<string, string?>();
        foreach ((PropertyInfo property, SettingAttribute setting) in wanted)
        {
            string? text = flags.TryGetValue(property.Name, out string? given) ? given : configuration[$"{Section}:{property.Name}"];
            if (text is null)
            {
                continue;
            }

            // The binder's own message is for developers.
            if (!IsOfType(property.PropertyType, text))
            {
                throw new SettingException($"{Source(property.Name)}: {setting.Refuse(text)}");
            }

            texts.Add(property.Name, text);
        }

        var options = new RegistryOptions();
        new ConfigurationBuilder().AddInMemoryCollection(texts).Build().Bind(options);
        ValidateOptionsResult result = new RegistryOptionsValidator().Validate(name: null, options);
        if (result.Failed)
        {
            // "Db: must be …"
            string[] failure = result.Failures.First().Split(": ", 2);
            throw new SettingException($"{Source(failure[0])}: {failure[1]}");
        }

        DatabaseKind kind = DatabaseAttribute.KindOf(options.Db);
        foreach ((PropertyInfo property, SettingAttribute setting) in wanted.Where(s => texts.ContainsKey(s.Property.Name)))
        {
            if (setting.On is not DatabaseKind.Any && setting.On != kind)
            {
                throw new SettingException(
                    $"{Source(property.Name)}: means nothing {(kind == DatabaseKind.Sqlite ? "with SQLite" : "with PostgreSQL")}: leave it out");
            }
        }

        foreach (string name in (string[])[nameof(RegistryOptions.Db), nameof(RegistryOptions.DbRead)])
        {
            if (flags.TryGetValue(name, out string? address))
            {
                RefusePassword(Source(name), address!, nameof(RegistryOptions.DbPassword));
            }
        }

        if (options is { DbIdentity.Length: > 0, DbPassword.Length: > 0 })
        {
            throw new SettingException(
                $"{Variable(nameof(RegistryOptions.DbIdentity))}: signs in without a password: leave {Variable(nameof(RegistryOptions.DbPassword))} out");
        }

        return options;

        string Source(string name) => flags.ContainsKey(name)
            ? All.Single(setting => setting.Property.Name == name).Setting.Flag!
            : Variable(name);
    }

    private static void RefusePassword(string flag, string db, string passwordName)
    {
        if (PostgresAddress.Of(db, password: null) is { HasPassword: true })
        {
            throw new SettingException(
                $"{flag}: has a password in it, which every user of this machine can see: put it into {Variable(passwordName)}, PGPASSWORD or a passfile");
        }
    }

    private static bool IsOfType(Type type, string text) =>
        type == typeof(int) ? int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _)
        : type == typeof(long) ? long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _)
        : type != typeof(bool) || bool.TryParse(text, out _);

    // A misspelt variable would silently leave a setting at its default.
    private static void RefuseUnknown(IConfigurationSection settings)
    {
        foreach (IConfigurationSection set in settings.GetChildren())
        {
            bool isKnown = All.Any(setting => setting.Property.Name.Equals(set.Key, StringComparison.OrdinalIgnoreCase));
            if (!isKnown || set.GetChildren().Any())
            {
                string unknown = isKnown ? $"{set.Key}__{set.GetChildren().First().Key}" : set.Key;
                throw new SettingException(
                    $"{Variable(unknown)}: is not a setting; the settings are {string.Join(", ", All.Select(s => Variable(s.Property.Name)))}");
            }
        }
    }

    private static void CheckLogLevels(IConfiguration configuration)
    {
        string[] known = Enum.GetNames<LogLevel>();
        IConfigurationSection levels = configuration.GetSection("Logging:LogLevel");
        if (levels.Value is not null)
        {
            throw new SettingException("Logging__LogLevel: is not a setting; Logging__LogLevel__Default sets the level");
        }

        foreach (IConfigurationSection level in levels.GetChildren())
        {
            if (!known.Contains(level.Value, StringComparer.OrdinalIgnoreCase))
            {
                throw new SettingException(
                    $"Logging__LogLevel__{level.Key}: must be one of {string.Join(", ", known)}, not \"{level.Value}\"");
            }
        }
    }
}
