using System.Diagnostics;

namespace RegistryFunctions.Benchmarks;

/// <summary>
/// What is measured with: how often each measurement is repeated, how many seconds one takes, and the programs, each built
/// from the sources as they are now, into a folder of its own. A published executable can take the registry's place. What
/// is compared is compiled alike: all native but for what stands for the JIT.
/// </summary>
internal sealed record Bench(string? Server, int Rounds, int Seconds)
{
    private readonly HashSet<string> _built = [];

    /// <summary>The registry, native: program and arguments.</summary>
    public async Task<string[]> RegistryAsync() => Server is null
        ? [Path.Combine(await OnceAsync("native", "RegistryFunctions", "-p:PublishAot=true"), "RegistryFunctions")]
        : [Path.GetFullPath(Server)];

    /// <summary>The registry, compiled as it runs: program and arguments.</summary>
    public async Task<string[]> JitRegistryAsync() =>
        ["dotnet", Path.Combine(await WorkerAsync(ahead: false), "RegistryFunctions.dll")];

    /// <summary>The folder of the function app, compiled ahead as it is deployed, or as it runs.</summary>
    public Task<string> WorkerAsync(bool ahead) =>
        OnceAsync(ahead ? "worker" : "worker-jit", "RegistryFunctions", $"-p:PublishReadyToRun={ahead}");

    /// <summary>A limit server, native: program and arguments.</summary>
    public async Task<string[]> LimitAsync(string name)
    {
        string folder = await OnceAsync("limits", "RegistryFunctions.Benchmarks", "-p:LimitsOnly=true", "-p:PublishAot=true");
        return [Path.Combine(folder, "RegistryFunctions.Benchmarks"), name];
    }

    private async Task<string> OnceAsync(string name, string project, params string[] properties)
    {
        string folder = Repository.File("artifacts", name);
        if (_built.Add(name))
        {
            // Intermediate files of their own, so that the builds do not undo each other's, nor that of this program.
            string[] output = ["-o", folder, "--artifacts-path", Repository.File("artifacts", "build", name)];
            string[] arguments = ["publish", Repository.File(project), "-c", "Release", "-clp:ErrorsOnly", .. output, .. properties];
            Console.WriteLine($"dotnet {string.Join(' ', arguments)}");
            using Process dotnet = Process.Start("dotnet", arguments);
            await dotnet.WaitForExitAsync();
            if (dotnet.ExitCode != 0)
            {
                throw new IOException("The build failed.");
            }
        }

        return folder;
    }
}
