using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace RegistryFunctions.Tests.Support;

internal sealed record LogLine(LogLevel Level, EventId Id, string Text);

/// <summary>The ids of log lines that tests wait for.</summary>
internal static class LogEvents
{
    public const int Pruned = 10;
    public const int PruneFailed = 12;
    public const int MostIsDue = 13;

    /// <summary>How a prune ends: done, put off, failed.</summary>
    public static readonly int[] Prunes = [Pruned, 11, PruneFailed];
}

/// <summary>Keeps what was logged, and lets a test wait for a line.</summary>
internal sealed class LogCollector : ILoggerProvider, ILogger
{
    private readonly Lock _lock = new();
    private readonly List<LogLine> _lines = [];
    private readonly Channel<LogLine> _unread = Channel.CreateUnbounded<LogLine>();

    public IReadOnlyList<LogLine> Lines
    {
        get
        {
            lock (_lock)
            {
                return [.. _lines];
            }
        }
    }

    /// <summary>The next line with one of these event ids that was not waited for yet.</summary>
    public async Task<LogLine> NextAsync(params int[] eventIds)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        await foreach (LogLine line in _unread.Reader.ReadAllAsync(deadline.Token))
        {
            if (eventIds.Contains(line.Id.Id))
            {
                return line;
            }
        }

        throw new InvalidOperationException("unreachable: the channel is never completed");
    }

    /// <summary>Waits for none of the lines so far any more.</summary>
    public void SkipToNow()
    {
        while (_unread.Reader.TryRead(out _))
        {
        }
    }

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        var line = new LogLine(logLevel, eventId, $"{formatter(state, exception)} {exception}");
        lock (_lock)
        {
            _lines.Add(line);
        }

        _unread.Writer.TryWrite(line);
    }

    public void Dispose()
    {
    }
}
