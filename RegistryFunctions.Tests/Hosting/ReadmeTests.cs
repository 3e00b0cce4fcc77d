using System.Diagnostics;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>What the README tells people to type works.</summary>
public sealed class ReadmeTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_smoke_test_of_the_README_passes()
    {
        await using RegistryProcess server = RegistryProcess.StartAlone(_folder.File("registry.db"));
        await server.ReadyAsync();
        await RunSmokeTestAsync(server.Url);
    }

    /// <summary>Runs what the README tells people to type, against a registry.</summary>
    internal static async Task RunSmokeTestAsync(Uri url)
    {
        Assert.SkipUnless(
            OperatingSystem.IsLinux() && File.Exists("/usr/bin/openssl") && File.Exists("/usr/bin/curl"),
            "needs Linux with openssl and curl");
        var start = new ProcessStartInfo("bash", ["-euo", "pipefail", "-c", BlockUnder("## Check that it works")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["url"] = url.ToString().TrimEnd('/');
        using Process client = Process.Start(start)!;
        Task<string> errors = client.StandardError.ReadToEndAsync();
        string output = await client.StandardOutput.ReadToEndAsync();
        await client.WaitForExitAsync();
        Assert.True(client.ExitCode == 0, output + await errors);
        Assert.Equal(["registered", "Signature Verified Successfully", "the same bytes"], output.Trim().Split('\n'));
    }

    [Fact]
    public void Every_promise_of_the_README_names_tests_that_exist()
    {
        string[] promises = [.. SectionUnder("## What is promised").Split('\n').Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Skip(2)];
        HashSet<string> classes = [.. typeof(ReadmeTests).Assembly.GetTypes().Select(type => type.Name)];
        Assert.NotEmpty(promises);
        Assert.All(promises, promise =>
        {
            string[] named = [.. promise.Split('|')[^2].Split(',').Select(name => name.Trim(' ', '`'))];
            Assert.Subset(classes, named.ToHashSet());
        });
    }

    private static string BlockUnder(string heading)
    {
        string section = SectionUnder(heading);
        const string Fence = "```";
        int begin = section.IndexOf($"{Fence}bash\n", StringComparison.Ordinal) + Fence.Length + "bash\n".Length;
        return section[begin..section.IndexOf(Fence, begin, StringComparison.Ordinal)];
    }

    private static string SectionUnder(string heading)
    {
        string text = File.ReadAllText(Repository.File("README.md"));
        string section = text[(text.IndexOf($"{heading}\n", StringComparison.Ordinal) + heading.Length)..];
        return section[..section.IndexOf("\n## ", StringComparison.Ordinal)];
    }
}
