using System.Diagnostics;

namespace RegistryFunctions.Tests.Support;

/// <summary>
/// Lets calls of the system fail under a server in a process of its own. Needs Linux and a C compiler; without them the test
/// is skipped.
/// </summary>
internal sealed class FaultyCalls : IDisposable
{
    public const string Sync = "sync";
    public const string Write = "write";
    public const string Read = "read";

    private readonly TestFolder _folder = new();

    public FaultyCalls()
    {
        string source = Repository.File("RegistryFunctions.Tests", "Support", "FaultyCalls.c");
        if (!OperatingSystem.IsLinux()
            || !((string[])["cc", "clang", "gcc"]).Any(compiler => Compiles(compiler, "-shared", "-fPIC", "-O1", "-o", Library, source)))
        {
            _folder.Dispose();
            Assert.Skip("needs Linux and a C compiler: install clang or gcc");
        }
    }

    /// <summary>The variables that a process needs for its calls to fail.</summary>
    public Dictionary<string, string> Environment => new() { ["LD_PRELOAD"] = Library, ["REGISTRY_FAULTS"] = Rule };

    private string Library => _folder.File("faults.so");

    private string Rule => _folder.File("rule");

    private string Met => _folder.File("rule.met");

    /// <summary>Whether a call has met the rule.</summary>
    public bool IsMet => File.Exists(Met);

    /// <summary>From now on each such call on the file fails with this number of the system.</summary>
    public void Fail(string call, string file, int error) => Set($"{call} {file} {error} always");

    /// <summary>The next such call on the file fails.</summary>
    public void FailOnce(string call, string file, int error) => Set($"{call} {file} {error} once");

    /// <summary>The next such call on the file does only half of what it is told, and says so.</summary>
    public void ShortenOnce(string call, string file) => Set($"{call} {file} short once");

    /// <summary>Such calls on the file wait until <see cref="Stop"/>.</summary>
    public void Hold(string call, string file) => Set($"{call} {file} hold always");

    /// <summary>Calls succeed again.</summary>
    public void Stop() => File.Delete(Rule);

    /// <summary>Waits until a call has met the rule.</summary>
    public async Task MetAsync(CancellationToken cancellationToken)
    {
        var patience = Stopwatch.StartNew();
        while (!IsMet)
        {
            Assert.True(patience.Elapsed < TimeSpan.FromMinutes(1), "no such call");
            await Task.Delay(1, cancellationToken);
        }
    }

    /// <summary>Starts the program stand-alone, waits until it is ready.</summary>
    public async Task<RegistryProcess> StartAsync(string db, params string[] arguments)
    {
        RegistryProcess server = RegistryProcess.Start(
            RegistryProcess.Executable, 0, ["--bind", "127.0.0.1:0", "--db", db, .. arguments], environment: Environment);
        await server.ReadyAsync();
        return server;
    }

    public void Dispose() => _folder.Dispose();

    private void Set(string rule)
    {
        File.Delete(Met);
        string written = _folder.File("next");
        File.WriteAllText(written, rule);
        File.Move(written, Rule, overwrite: true);
    }

    private static bool Compiles(string compiler, params string[] arguments)
    {
        try
        {
            return Shell.Run(compiler, arguments) == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
