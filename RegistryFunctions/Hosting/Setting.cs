using System.CommandLine;

namespace RegistryFunctions.Hosting;

/// <summary>One thing an operator can set: by a flag, else by an environment variable, else it has its default.</summary>
/// <param name="flag">The flag, such as <c>--db</c>.</param>
/// <param name="name">The name within <see cref="RegistryOptions.Section"/>, such as <c>Db</c>.</param>
/// <param name="argument">What the help calls the value.</param>
/// <param name="defaultText">The value when nothing is set, as text.</param>
/// <param name="description">What it sets.</param>
internal abstract class Setting(string flag, string name, string argument, string defaultText, string description)
{
    /// <summary>The name within the configuration section.</summary>
    public string Name => name;

    /// <summary>The environment variable.</summary>
    public string Variable => $"{RegistryOptions.Section}__{name}";

    /// <summary>The flag.</summary>
    public Option<string?> Flag { get; } = new(flag)
    {
        // "--flag" alone is enough to say true.
        Arity = defaultText == "false" ? ArgumentArity.ZeroOrOne : ArgumentArity.ExactlyOne,
        HelpName = argument,
        Description = $"{description} [default: {defaultText}; variable: {RegistryOptions.Section}__{name}]",
    };

    /// <summary>The text in force, and the name of where it was set.</summary>
    protected (string Source, string Text) TextFrom(ParseResult? flags, IConfiguration section) =>
        flags?.GetResult(Flag) is { } given
            ? (flag, given.Tokens is [{ } text, ..] ? text.Value : bool.TrueString)
            : (Variable, section[name] ?? defaultText);
}

/// <summary>A setting of a type. A value must be what <paramref name="must"/> says.</summary>
internal sealed class Setting<T>(
    string flag, string name, string argument, string defaultText, string description, string must, TryParse<T> tryParse)
    : Setting(flag, name, argument, defaultText, description)
{
    /// <summary>The value in force.</summary>
    /// <exception cref="SettingException">What was set makes no sense.</exception>
    public T Read(ParseResult? flags, IConfiguration section)
    {
        (string source, string text) = TextFrom(flags, section);
        return tryParse(text, out T? value)
            ? value!
            : throw new SettingException($"{source}: must be {must}, not \"{text}\"");
    }
}

/// <summary>Reads the text of a setting.</summary>
internal delegate bool TryParse<T>(string text, out T? value);
