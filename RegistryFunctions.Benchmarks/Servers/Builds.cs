using System.Diagnostics;
using System.Text.Json;

namespace RegistryFunctions.Benchmarks.Servers;

/// <summary>
/// The programs that are measured, each built from the sources as they are now, into a folder of its own. What is
/// compared is compiled alike: all native but for the one that stands for the JIT.
/// </summary>
internal sealed class Builds(string root, string? server)
{
    // What shapes the registry's executable must shape the limits' too.
    private static readonly string[] SharedProperties =
    [
        "ConcurrentGarbageCollection",
        "EventSourceSupport",
        "GarbageCollectionAdaptationMode",
        "IlcInstructionSet",
        "IlcOptimizationPreference",
        "OptimizationPreference",
        "ServerGarbageCollection",
        "StackTraceSupport",
        "TieredPGO",
        "UseSystemResourceKeys",
    ];

    private readonly Dictionary<string, Task<Executable>> _built = [];

    /// <summary>The registry, native.</summary>
    public Task<Executable> RegistryAsync() => OnceAsync("native", async folder =>
    {
        if (server is not null)
        {
            return new Executable(Path.GetFullPath(server));
        }

        await DotnetAsync(["publish", "RegistryFunctions", "-c", "Release", "-p:PublishAot=true", "-o", folder, .. Apart(folder)]);
        return new Executable(Path.Combine(folder, "RegistryFunctions"));
    });

    /// <summary>The registry, compiled as it runs.</summary>
    public Task<Executable> JitRegistryAsync() => OnceAsync("jit", async folder =>
    {
        await DotnetAsync(["build", "RegistryFunctions", "-c", "Release", "-o", folder, .. Apart(folder)]);
        return new Executable("dotnet", Path.Combine(folder, "RegistryFunctions.dll"));
    });

    /// <summary>The function app as it is deployed: compiled ahead.</summary>
    public Task<string> WorkerAsync() => PublishWorkerAsync("worker", readyToRun: true);

    /// <summary>The function app compiled as it runs.</summary>
    public Task<string> JitWorkerAsync() => PublishWorkerAsync("worker-jit", readyToRun: false);

    /// <summary>The limit servers, native.</summary>
    public Task<Executable> LimitsAsync() => OnceAsync("limits", async folder =>
    {
        IEnumerable<string> shared = await SharedPropertiesAsync();
        await DotnetAsync(
        [
            "publish", "RegistryFunctions.Benchmarks", "-c", "Release", "-p:LimitsOnly=true", "-o", folder,
            .. shared, .. Apart(folder),
        ]);
        return new Executable(Path.Combine(folder, "RegistryFunctions.Benchmarks"));
    });

    private async Task<string> PublishWorkerAsync(string name, bool readyToRun)
    {
        string folder = Path.Combine(root, "artifacts", name);
        await DotnetAsync(
        [
            "publish", "RegistryFunctions", "-c", "Release", $"-p:PublishReadyToRun={readyToRun}", "-o", folder, .. Apart(folder),
        ]);
        return folder;
    }

    private Task<Executable> OnceAsync(string name, Func<string, Task<Executable>> build)
    {
        if (!_built.TryGetValue(name, out Task<Executable>? executable))
        {
            executable = _built[name] = build(Path.Combine(root, "artifacts", name));
        }

        return executable;
    }

    // Intermediate files of their own, so that the builds do not undo each other's, nor that of this program.
    private string[] Apart(string folder) =>
        ["--artifacts-path", Path.Combine(root, "artifacts", "build", Path.GetFileName(folder))];

    private async Task<IEnumerable<string>> SharedPropertiesAsync()
    {
        string json = await DotnetAsync(
        [
            "msbuild", "RegistryFunctions", "-p:Configuration=Release", "-p:PublishAot=true",
            .. SharedProperties.Select(name => $"-getProperty:{name}"),
        ]);
        using var document = JsonDocument.Parse(json);
        return [.. document.RootElement.GetProperty("Properties").EnumerateObject()
            .Where(property => property.Value.GetString() is { Length: > 0 })
            .Select(property => $"-p:{property.Name}={property.Value.GetString()}")];
    }

    private async Task<string> DotnetAsync(string[] arguments)
    {
        Console.WriteLine($"dotnet {string.Join(' ', arguments.TakeWhile(argument => !argument.StartsWith('-')))} …");
        var start = new ProcessStartInfo("dotnet", arguments)
        {
            WorkingDirectory = root,
            RedirectStandardOutput = true,
        };
        using Process dotnet = Process.Start(start)!;
        string output = await dotnet.StandardOutput.ReadToEndAsync();
        await dotnet.WaitForExitAsync();
        return dotnet.ExitCode == 0 ? output : throw new IOException($"The build failed:\n{output}");
    }
}
