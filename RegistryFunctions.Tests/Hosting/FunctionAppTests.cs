using System.Text.Json;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>What the function app tells a Functions host of itself, in files and by the worker's word.</summary>
public sealed class FunctionAppTests : IAsyncLifetime
{
    private readonly TestFolder _folder = new();
    private WorkerProcess _worker = null!;

    public async ValueTask InitializeAsync()
    {
        _worker = await WorkerProcess.StartAsync(("Registry__Db", _folder.File("registry.db")));
        await _worker.ReadyAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _worker.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public void The_functions_have_the_routes_methods_and_levels_of_the_contract() =>
        Assert.Equal(
            [
                "Health httpTrigger health/{probe} get,head Anonymous ",
                "Prune timerTrigger    %PruneSchedule%",
                "Register httpTrigger v0/keypackage post Anonymous ",
                "Retrieve httpTrigger v0/keypackage/{device_id} get,head Anonymous ",
            ],
            _worker.Host.Functions.Select(f =>
                $"{f.Name} {f.TriggerType} {f.Route} {string.Join(',', f.Methods)} {f.AuthLevel} {f.Schedule}"));

    [Fact]
    public void The_file_that_lists_the_functions_says_what_the_worker_says()
    {
        JsonElement[] listed = [.. _worker.Host.Read("functions.metadata").EnumerateArray()];
        Assert.Equal(
            _worker.Host.Functions.Select(f => $"{f.Name} {f.EntryPoint} {f.ScriptFile} {f.Route} {string.Join(',', f.Methods)} {f.AuthLevel} {f.Schedule}"),
            listed.OrderBy(f => f.GetProperty("name").GetString(), StringComparer.Ordinal).Select(f =>
            {
                JsonElement trigger = f.GetProperty("bindings")[0];
                string methods = trigger.TryGetProperty("methods", out JsonElement listedMethods)
                    ? string.Join(',', listedMethods.EnumerateArray().Select(method => method.GetString()))
                    : "";
                return $"{Text(f, "name")} {Text(f, "entryPoint")} {Text(f, "scriptFile")} {Text(trigger, "route")} {methods} "
                    + $"{Text(trigger, "authLevel")} {Text(trigger, "schedule")}";
            }));

        static string? Text(JsonElement json, string name) =>
            json.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;
    }

    [Fact]
    public void Routes_have_no_prefix_and_the_host_logs_little_of_its_own()
    {
        JsonElement host = _worker.Host.Read("host.json");
        Assert.Equal("2.0", host.GetProperty("version").GetString());
        Assert.Equal("", host.GetProperty("extensions").GetProperty("http").GetProperty("routePrefix").GetString());
        Assert.Equal("Warning", host.GetProperty("logging").GetProperty("logLevel").GetProperty("default").GetString());
    }

    [Fact]
    public void The_sample_settings_run_the_worker_prune_hourly_and_keep_the_database_out_of_what_func_deletes()
    {
        IReadOnlyDictionary<string, string> sample = WorkerProcess.SampleSettings;
        Assert.Equal("dotnet-isolated", sample["FUNCTIONS_WORKER_RUNTIME"]);
        Assert.Equal("0 0 * * * *", sample["PruneSchedule"]);
        Assert.Equal(
            Repository.File("keypackage-registry.db"),
            Path.GetFullPath(sample["Registry__Db"], Repository.File("bin", "output")));
    }

    [Fact]
    public void Nothing_that_is_deployed_holds_settings_data_or_symbols()
    {
        Assert.SkipWhen(FunctionsHost.App == FunctionsHost.BuiltApp, "needs REGISTRY_FUNCTION_APP, the folder of a published app");
        string[] extra =
        [
            .. Directory.EnumerateFiles(FunctionsHost.App, "*", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(FunctionsHost.App, file))
                .Where(file => file.StartsWith("local.settings", StringComparison.Ordinal)
                    || Path.GetExtension(file) is ".db" or ".pdb" or ".dbg" or ".xml" or ".cs" or ".md"),
        ];
        Assert.Empty(extra);
    }
}
