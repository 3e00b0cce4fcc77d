using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;

namespace RegistryFunctions.Tests.Support;

/// <summary>The registry as a worker in a process of its own.</summary>
internal sealed partial class WorkerRegistry : RegistryServer
{
    private const string Refused = "RegistryFunctions: ";

    private static readonly Dictionary<string, LogLevel> Levels = new()
    {
        ["trce"] = LogLevel.Trace,
        ["dbug"] = LogLevel.Debug,
        ["info"] = LogLevel.Information,
        ["warn"] = LogLevel.Warning,
        ["fail"] = LogLevel.Error,
        ["crit"] = LogLevel.Critical,
    };

    private WorkerProcess _worker = null!;

    private WorkerRegistry((string Name, string Value)[] settings)
        : base(settings)
    {
    }

    public override Uri Url => _worker.Host.Url;

    public static async Task<WorkerRegistry> StartAsync((string Name, string Value)[] settings)
    {
        var registry = new WorkerRegistry(settings);
        try
        {
            await registry.StartAsync();
            return registry;
        }
        catch (Exception e)
        {
            string errors = registry._worker.Process.Errors;
            await registry.DisposeAsync();
            throw errors.StartsWith(Refused, StringComparison.Ordinal) ? new StartRefusedException(errors[Refused.Length..]) : e;
        }
    }

    public override async Task RestartAsync()
    {
        await StopAsync();
        await EndAsync();
        await StartAsync();
    }

    public override async Task<IReadOnlyList<LogLine>> StopAsync()
    {
        await _worker.StopAsync();
        return [.. $"{_worker.Process.Output}\n{_worker.Process.Errors}".Split('\n').Where(line => line.Length > 0).Select(Read)];
    }

    protected override async Task EndAsync()
    {
        if (_worker is not null)
        {
            await _worker.DisposeAsync();
        }
    }

    private async Task StartAsync()
    {
        _worker = await WorkerProcess.StartAsync([.. Settings.Select(setting => ($"Registry__{setting.Key}", setting.Value))]);
        await _worker.ReadyAsync();
    }

    private static LogLine Read(string line)
    {
        Match parts = Line().Match(line);
        Assert.True(parts.Success, $"no line of the log: {line}");
        return new LogLine(
            Levels[parts.Groups["level"].Value],
            new EventId(int.Parse(parts.Groups["id"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture)),
            parts.Groups["text"].Value);
    }

    [GeneratedRegex(@"^(?<level>[a-z]{4}): [\w.]+\[(?<id>\d+)\] (?<text>.*)$")]
    private static partial Regex Line();
}
