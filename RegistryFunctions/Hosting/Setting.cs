using System.CommandLine;

namespace RegistryFunctions.Hosting;

/// <summary>One thing an operator can set: by a flag, else by an environment variable, else it has its default.</summary>
internal sealed class Setting<T>
{
    private readonly string _default;
    private readonly string _must;
    private readonly TryParse<T> _tryParse;

    /// <param name="flag">The flag, such as <c>--db</c>.</param>
    /// <param name="name">The name within <see cref="RegistryOptions.Section"/>, such as <c>Db</c>.</param>
    /// <param name="argument">What the help calls the value.</param>
    /// <param name="defaultText">The value when nothing is set, as text.</param>
    /// <param name="description">What it sets.</param>
    /// <param name="must">What a value must be.</param>
    /// <param name="tryParse">Reads a value.</param>
    public Setting(
        string flag, string name, string argument, string defaultText, string description, string must, TryParse<T> tryParse)
    {
        Name = name;
        Flag = new Option<string?>(flag)
        {
            HelpName = argument,
            Description = $"{description} [default: {defaultText}; variable: {Variable}]",
        };
        _default = defaultText;
        _must = must;
        _tryParse = tryParse;
    }

    /// <summary>The flag.</summary>
    public Option<string?> Flag { get; }

    /// <summary>The name within the configuration section.</summary>
    public string Name { get; }

    private string Variable => $"{RegistryOptions.Section}__{Name}";

    /// <summary>The value in force.</summary>
    /// <exception cref="SettingException">What was set makes no sense.</exception>
    public T Read(ParseResult? flags, IConfiguration section)
    {
        string? fromFlag = flags?.GetValue(Flag);
        string text = fromFlag ?? section[Name] ?? _default;
        return _tryParse(text, out T? value)
            ? value!
            : throw new SettingException(
                $"{(fromFlag is null ? Variable : Flag.Name)}: must be {_must}, not \"{text}\"");
    }
}

/// <summary>Reads the text of a setting.</summary>
internal delegate bool TryParse<T>(string text, out T? value);
