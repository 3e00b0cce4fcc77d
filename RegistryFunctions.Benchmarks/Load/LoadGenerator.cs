using System.Diagnostics;
using System.Text;

namespace RegistryFunctions.Benchmarks.Load;

/// <summary>
/// Puts a load on a server from one thread over many connections. Every answer is checked; the first unexpected one
/// ends the load with <see cref="UnexpectedAnswerException"/>.
/// </summary>
internal sealed class LoadGenerator : IDisposable
{
    private const int LongestRequest = 4 * 1024;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly ITraffic _traffic;
    private readonly Connection[] _connections;
    private readonly Stack<Connection> _idle;
    private readonly Epoll _epoll = new();
    private readonly byte[] _request = GC.AllocateArray<byte>(LongestRequest, pinned: true);

    // Of the phase under way.
    private Pace _pace = Pace.Unlimited();
    private long _end;
    private long _answers;
    private Latencies _reads = new();
    private Latencies _writes = new();

    /// <summary>Connects.</summary>
    public LoadGenerator(int port, ITraffic traffic, int connections = 64)
    {
        _traffic = traffic;
        _connections = [.. Enumerable.Range(0, connections).Select(_ => new Connection(port))];
        _idle = new Stack<Connection>(_connections);
        for (int i = 0; i < connections; i++)
        {
            _epoll.Watch(_connections[i].Handle, i);
        }
    }

    /// <summary>
    /// Puts a load on the server for a time, or until <paramref name="stop"/>; ends when all answers are there.
    /// </summary>
    public Task<LoadResult> RunAsync(Pace pace, TimeSpan time, CancellationToken stop = default) =>
        Task.Factory.StartNew(
            () => Run(pace, time, stop),
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);

    public void Dispose()
    {
        foreach (Connection connection in _connections)
        {
            connection.Dispose();
        }

        _epoll.Dispose();
    }

    private LoadResult Run(Pace pace, TimeSpan time, CancellationToken stop)
    {
        Linux.WakeOnTime();
        long start = Stopwatch.GetTimestamp();
        _pace = pace;
        _pace.Start(start);
        _end = start + (long)(time.TotalSeconds * Stopwatch.Frequency);
        _answers = 0;
        _reads = new Latencies();
        _writes = new Latencies();

        long now = start;
        while (now < _end && !stop.IsCancellationRequested)
        {
            while (_idle.Count > 0 && _pace.TryTake(now, out long due))
            {
                Send(_idle.Pop(), due);
            }

            TimeSpan rest = Stopwatch.GetElapsedTime(now, _end);
            ReceiveReady(_idle.Count > 0 && _pace.UntilNext(now) is var next && next < rest ? next : rest);
            now = Stopwatch.GetTimestamp();
        }

        double perSecond = _answers / Stopwatch.GetElapsedTime(start, now).TotalSeconds;
        Drain(now);
        return new LoadResult(perSecond, _reads, _writes);
    }

    // The last answers count for latency, or the slowest would be missed, but come too late for the throughput.
    private void Drain(long since)
    {
        _end = 0;
        while (_idle.Count < _connections.Length)
        {
            ReceiveReady(TimeSpan.FromMilliseconds(100));
            if (Stopwatch.GetElapsedTime(since) > Patience)
            {
                throw new UnexpectedAnswerException(
                    $"{_connections.Length - _idle.Count} requests had no answer after {Patience.TotalSeconds:N0} s.");
            }
        }
    }

    private void ReceiveReady(TimeSpan timeout)
    {
        int ready = _epoll.Wait(timeout);
        for (int i = 0; i < ready; i++)
        {
            Connection connection = _connections[_epoll.Readable(i)];
            if (!connection.TryReceive(out Answer answer))
            {
                continue;
            }

            long now = Stopwatch.GetTimestamp();
            Count(connection, answer, now);
            if (now < _end && _pace.TryTake(now, out long due))
            {
                Send(connection, due);
            }
            else
            {
                _idle.Push(connection);
            }
        }
    }

    private void Send(Connection connection, long due)
    {
        Request request = _traffic.WriteNext(_request);
        connection.Send(_request.AsSpan(0, request.Length), request, due);
    }

    private void Count(Connection connection, in Answer answer, long now)
    {
        if (!_traffic.IsExpected(connection.Request, answer))
        {
            throw new UnexpectedAnswerException(
                $"{connection.Request} was answered {answer.Status}: {Encoding.UTF8.GetString(answer.Body)}");
        }

        _answers++;
        Latencies latencies = connection.Request.Kind == RequestKind.Read ? _reads : _writes;
        latencies.Add(Stopwatch.GetElapsedTime(connection.Due, now));
    }
}
