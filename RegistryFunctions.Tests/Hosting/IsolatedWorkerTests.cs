using System.Text.Json;
using System.Text.RegularExpressions;
using RegistryFunctions.Functions;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>
/// The isolated worker's attributes say the same as the function.json files. They are read from the source text: the
/// project is not built here, as its packages may not be there.
/// </summary>
public sealed partial class IsolatedWorkerTests
{
    private static readonly string Sources = string.Concat(
        Directory.GetFiles(Repository.File("RegistryFunctions.IsolatedWorker"), "*.cs").Order().Select(File.ReadAllText));

    [Fact]
    public void Functions_routes_methods_authorisation_levels_and_the_schedule_are_those_of_function_json()
    {
        IEnumerable<string> attributes =
            from Match function in FunctionAttribute().Matches(Sources)
            orderby function.Groups["name"].Value
            select Describe(FromAttributes(function));
        Assert.Equal(ScriptRoot.Triggers.Select(Describe), attributes);
    }

    [Fact]
    public void The_route_prefix_is_that_of_the_custom_handler()
    {
        using JsonDocument host = JsonDocument.Parse(File.ReadAllText(Repository.File("RegistryFunctions.IsolatedWorker", "host.json")));
        using var root = new ScriptRoot();
        Assert.Equal(
            root.RoutePrefix,
            host.RootElement.GetProperty("extensions").GetProperty("http").GetProperty("routePrefix").GetString());
    }

    [Fact]
    public void The_sample_settings_are_those_of_the_custom_handler_but_for_the_runtime()
    {
        const string Runtime = "FUNCTIONS_WORKER_RUNTIME";
        using JsonDocument sample = JsonDocument.Parse(
            File.ReadAllText(Repository.File("RegistryFunctions.IsolatedWorker", "local.settings.sample.json")));
        Dictionary<string, string> settings = sample.RootElement.GetProperty("Values").EnumerateObject()
            .ToDictionary(setting => setting.Name, setting => setting.Value.GetString()!);
        Assert.Equal("dotnet-isolated", settings[Runtime]);
        settings[Runtime] = ScriptRoot.SampleSettings[Runtime];
        Assert.Equal(ScriptRoot.SampleSettings.OrderBy(s => s.Key), settings.OrderBy(s => s.Key));
    }

    private static FunctionBinding FromAttributes(Match function)
    {
        string name = function.Groups["name"].Value;
        if (function.Groups["schedule"] is { Success: true } schedule)
        {
            return new FunctionBinding(name, "timerTrigger", Route: null, AuthLevel: null, schedule.Value, Methods: []);
        }

        string route = function.Groups["route"].Value switch
        {
            $"{nameof(Register)}.{nameof(Register.Route)}" => Register.Route,
            $"{nameof(Retrieve)}.{nameof(Retrieve.Route)}" => Retrieve.Route,
            $"{nameof(Health)}.{nameof(Health.Route)}" => Health.Route,
            string literal => literal.Trim('"'),
        };
        return new FunctionBinding(
            name,
            "httpTrigger",
            route,
            JsonNamingPolicy.CamelCase.ConvertName(function.Groups["level"].Value),
            Schedule: null,
            [.. function.Groups["method"].Captures.Select(method => method.Value)]);
    }

    private static string Describe(FunctionBinding trigger) =>
        $"{trigger.Function}: {trigger.Type} {trigger.AuthLevel} {string.Join(',', trigger.Methods)} {trigger.Route}{trigger.Schedule}";

    [GeneratedRegex("""
        \[Function\(nameof\((?<name>\w+)\)\)\][^\[]*
        (\[HttpTrigger\(AuthorizationLevel\.(?<level>\w+)(,\s*"(?<method>\w+)")*,\s*Route\s*=\s*(?<route>[^)]+)\)\]
        |\[TimerTrigger\("(?<schedule>[^"]+)"\)\])
        """, RegexOptions.IgnorePatternWhitespace | RegexOptions.ExplicitCapture)]
    private static partial Regex FunctionAttribute();
}
