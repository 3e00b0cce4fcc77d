using System.Text.Json;

namespace RegistryFunctions.Tests.Support;

/// <summary>One function.json: the folder it stands in names the function.</summary>
internal sealed record FunctionBinding(
    string Function, string Type, string? Route, string? AuthLevel, string? Schedule, IReadOnlyList<string> Methods)
{
    /// <summary>The folder's own function.json, all of it.</summary>
    public JsonElement Bindings => ScriptRoot.Read(Repository.File(Function, "function.json")).GetProperty("bindings");
}

/// <summary>
/// Plays the Azure Functions host: reads host.json and every function.json of the repository, and starts the
/// executable as the host would.
/// </summary>
internal sealed class ScriptRoot : IDisposable
{
    private readonly TestFolder _folder = new();
    private readonly JsonElement _host = Read(Repository.File("host.json"));

    public ScriptRoot()
    {
        // What a deployment consists of: host.json, the function folders, and bin/ as published.
        File.Copy(Repository.File("host.json"), _folder.File("host.json"));
        Directory.CreateSymbolicLink(_folder.File("bin"), System.IO.Path.GetDirectoryName(RegistryProcess.Executable)!);
    }

    public string Path => _folder.Path;

    public string Version => _host.GetProperty("version").GetString()!;

    public string RoutePrefix => _host.GetProperty("extensions").GetProperty("http").GetProperty("routePrefix").GetString()!;

    public bool Forwards => _host.GetProperty("customHandler").GetProperty("enableForwardingHttpRequest").GetBoolean();

    public static IReadOnlyList<FunctionBinding> Triggers { get; } =
    [
        .. from file in Directory.EnumerateDirectories(Repository.Root).Select(folder => System.IO.Path.Combine(folder, "function.json"))
           where File.Exists(file)
           let trigger = Read(file).GetProperty("bindings").EnumerateArray().Single(IsTrigger)
           let function = System.IO.Path.GetFileName(System.IO.Path.GetDirectoryName(file)!)
           orderby function
           select new FunctionBinding(
               function,
               trigger.GetProperty("type").GetString()!,
               Text(trigger, "route"),
               Text(trigger, "authLevel"),
               Text(trigger, "schedule"),
               trigger.TryGetProperty("methods", out JsonElement methods)
                   ? [.. methods.EnumerateArray().Select(method => method.GetString()!)]
                   : []),
    ];

    /// <summary>The values of local.settings.sample.json, which Core Tools turn into environment variables.</summary>
    public static IReadOnlyDictionary<string, string> SampleSettings { get; } =
        Read(Repository.File("local.settings.sample.json")).GetProperty("Values").EnumerateObject()
            .ToDictionary(setting => setting.Name, setting => setting.Value.GetString()!);

    /// <summary>Starts the handler with the port variable, arguments and working directory that the host gives it.</summary>
    public RegistryProcess StartHandler(params (string Name, string Value)[] settings) =>
        Start((executable, arguments) => (executable, arguments), settings);

    /// <summary>
    /// Starts a process that starts the handler, as the host does, prints its process id and waits for its end. Needs a shell.
    /// </summary>
    public RegistryProcess StartHost() =>
        Start((executable, arguments) => ("/bin/sh", ["-c", "\"$0\" \"$@\" & echo \"handler: $!\"; wait", executable, .. arguments]), []);

    public void Dispose() => _folder.Dispose();

    private RegistryProcess Start(
        Func<string, IEnumerable<string>, (string Executable, IEnumerable<string> Arguments)> command,
        (string Name, string Value)[] settings)
    {
        int port = RegistryProcess.FreePort();
        JsonElement description = _host.GetProperty("customHandler").GetProperty("description");
        string executable = _folder.File(description.GetProperty("defaultExecutablePath").GetString()!);
        IEnumerable<string> arguments = description.GetProperty("arguments").EnumerateArray().Select(a => a.GetString()!);
        var environment = new Dictionary<string, string>(SampleSettings)
        {
            ["FUNCTIONS_CUSTOMHANDLER_PORT"] = $"{port}",
            ["FUNCTIONS_CUSTOMHANDLER_WORKER_ID"] = $"{Guid.NewGuid()}",
        };
        foreach ((string name, string value) in settings)
        {
            environment[name] = value;
        }

        (executable, arguments) = command(executable, arguments);
        return RegistryProcess.Start(executable, port, arguments, _folder.Path, environment);
    }

    internal static JsonElement Read(string file) => JsonDocument.Parse(File.ReadAllBytes(file)).RootElement;

    private static bool IsTrigger(JsonElement binding) =>
        binding.GetProperty("type").GetString()!.EndsWith("Trigger", StringComparison.Ordinal);

    private static string? Text(JsonElement binding, string name) =>
        binding.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;
}
