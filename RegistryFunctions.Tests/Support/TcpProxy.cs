using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace RegistryFunctions.Tests.Support;

/// <summary>Stands between a client and a server, and does to their connections what networks do.</summary>
internal sealed class TcpProxy : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<Link, bool> _links = new();
    private readonly string _host;
    private readonly int _port;
    private volatile TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TcpProxy(string host, int port)
    {
        (_host, _port) = (host, port);
        _open.SetResult();
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Whether connections end as soon as they are made.</summary>
    public bool Refuses { get; set; }

    /// <summary>Whether a connection is cut when the server answers: what was sent has arrived, but nobody is told.</summary>
    public bool CutsAnswers { get; set; }

    /// <summary>Nothing passes, in either direction, until it is let go on.</summary>
    public void Hold() => _open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void LetGo() => _open.TrySetResult();

    /// <summary>Cuts all connections.</summary>
    public void Cut()
    {
        foreach (Link link in _links.Keys)
        {
            link.Cut();
        }
    }

    /// <summary>Tells all clients that the server has said its last; what they send still passes.</summary>
    public void HalfClose()
    {
        foreach (Link link in _links.Keys)
        {
            link.HalfClose();
        }
    }

    public void Dispose()
    {
        _listener.Dispose();
        LetGo();
        Cut();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket client = await _listener.AcceptSocketAsync();
                _ = PassAsync(client);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task PassAsync(Socket client)
    {
        using var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
        var link = new Link(client, server);
        _links[link] = true;
        try
        {
            if (!Refuses)
            {
                await server.ConnectAsync(_host, _port);
                await Task.WhenAny(PumpAsync(link, client, server, isAnswer: false), PumpAsync(link, server, client, isAnswer: true));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Cut.
        }
        finally
        {
            _links.TryRemove(link, out _);
            link.Cut();
        }
    }

    private async Task PumpAsync(Link link, Socket from, Socket to, bool isAnswer)
    {
        byte[] buffer = new byte[16 * 1024];
        try
        {
            int read;
            while ((read = await from.ReceiveAsync(buffer)) > 0)
            {
                await _open.Task;
                if (isAnswer && CutsAnswers)
                {
                    link.Cut();
                }

                await to.SendAsync(buffer.AsMemory(0, read));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Cut, by either side or by the test; or half closed.
            if (isAnswer && link.IsHalfClosed)
            {
                await link.Ended;
            }
        }
    }

    private sealed class Link(Socket client, Socket server)
    {
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsHalfClosed { get; private set; }

        /// <summary>Completes when it is cut.</summary>
        public Task Ended => _ended.Task;

        public void Cut()
        {
            _ended.TrySetResult();
            client.Dispose();
            server.Dispose();
        }

        public void HalfClose()
        {
            IsHalfClosed = true;
            client.Shutdown(SocketShutdown.Send);
        }
    }
}
