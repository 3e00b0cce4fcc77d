using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Configuration;
using RegistryFunctions.Settings;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>What the README tells people to type works, and what the documentation says of the program is so.</summary>
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
    public void Every_promise_names_tests_that_exist()
    {
        HashSet<string> classes = [.. typeof(ReadmeTests).Assembly.GetTypes().Select(type => type.Name)];
        Assert.All(RowsUnder("## What is promised", "docs", "operating.md"), promise =>
        {
            string[] named = [.. promise.Split('|')[^2].Split(',').Select(name => name.Trim(' ', '`'))];
            Assert.Subset(classes, named.ToHashSet());
        });
    }

    [Fact]
    public void The_settings_of_the_README_are_those_of_the_program()
    {
        IEnumerable<string> settings = SettingsReader.All.Select(s => string.Create(
            CultureInfo.InvariantCulture,
            $"{s.Setting.Flag} {SettingsReader.Variable(s.Property.Name)} {s.Property.GetValue(new RegistryOptions())}"));
        string[] documented =
        [
            .. from row in RowsUnder("## Settings", "README.md")
               let cells = row.Split('|').Select(cell => cell.Trim(' ', '`')).ToArray()
               where cells[2].StartsWith(SettingsReader.Section, StringComparison.Ordinal)
               let value = cells[3] switch { "false" => "False", "true" => "True", string other => other }
               select $"{cells[1].Split(' ')[0]} {cells[2]} {value}",
        ];
        Assert.Equal(settings.Order(StringComparer.Ordinal), documented.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_setting_is_explained()
    {
        string[] rows = RowsUnder("## Settings", "docs", "operating.md");
        Assert.All(SettingsReader.All, s => Assert.Single(rows, row => row.StartsWith(
            $"| {(s.Setting.Flag is null ? "" : $"`{s.Setting.Flag}`, ")}`{SettingsReader.Variable(s.Property.Name)}` |", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_refusals_that_are_shown_are_what_the_program_says()
    {
        string shown = SectionUnder("## Start and stop", "docs", "operating.md");
        IConfiguration nothing = new ConfigurationBuilder().Build();
        foreach (SettingException refusal in (SettingException[])
            [
                Assert.Throws<SettingException>(() => SettingsReader.Read(
                    nothing, new Dictionary<string, string?> { [nameof(RegistryOptions.MaxPerIdentity)] = "0" })),
                Assert.Throws<SettingException>(() => PruneSchedule.Check(nothing)),
            ])
        {
            Assert.Contains($"\nRegistryFunctions: {refusal.Message}\n", shown, StringComparison.Ordinal);
        }
    }

    private static string[] RowsUnder(string heading, params string[] file)
    {
        string[] rows = [.. SectionUnder(heading, file).Split('\n').Where(line => line.StartsWith("| ", StringComparison.Ordinal)).Skip(2)];
        Assert.NotEmpty(rows);
        return rows;
    }

    private static string BlockUnder(string heading)
    {
        string section = SectionUnder(heading, "README.md");
        const string Fence = "```";
        int begin = section.IndexOf($"{Fence}bash\n", StringComparison.Ordinal) + Fence.Length + "bash\n".Length;
        return section[begin..section.IndexOf(Fence, begin, StringComparison.Ordinal)];
    }

    private static string SectionUnder(string heading, params string[] file)
    {
        string text = File.ReadAllText(Repository.File(file));
        string section = text[(text.IndexOf($"{heading}\n", StringComparison.Ordinal) + heading.Length)..];
        return section[..section.IndexOf("\n## ", StringComparison.Ordinal)];
    }
}
