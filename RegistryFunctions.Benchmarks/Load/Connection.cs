using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace RegistryFunctions.Benchmarks.Load;

/// <summary>One connection to the server, with at most one request on its way.</summary>
internal sealed unsafe class Connection : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly byte[] _received = GC.AllocateArray<byte>(8 * 1024, pinned: true);
    private Request _request;
    private int _length;

    public Connection(int port)
    {
        _socket.NoDelay = true;
        _socket.Connect(IPAddress.Loopback, port);
        _socket.Blocking = false;
        Handle = (int)_socket.Handle;
    }

    public int Handle { get; }

    /// <summary>What was asked last.</summary>
    public ref readonly Request Request => ref _request;

    /// <summary>When the request was to be sent, a timestamp.</summary>
    public long Due { get; private set; }

    /// <summary>Sends a request, which fits into the empty buffer of the socket.</summary>
    public void Send(ReadOnlySpan<byte> bytes, in Request request, long due)
    {
        _request = request;
        Due = due;
        fixed (byte* pointer = bytes)
        {
            if (Linux.Check(Linux.Send(Handle, pointer, bytes.Length, 0)) != bytes.Length)
            {
                throw new IOException("A request did not fit into the socket's buffer.");
            }
        }
    }

    /// <summary>Takes what has arrived; true once it is the whole answer.</summary>
    public bool TryReceive(out Answer answer)
    {
        answer = default;
        fixed (byte* pointer = _received)
        {
            nint count = Linux.Receive(Handle, pointer + _length, _received.Length - _length, 0);
            if (count < 0 && Marshal.GetLastPInvokeError() is Linux.WouldBlock or Linux.InterruptedCall)
            {
                return false;
            }

            if (Linux.Check(count) == 0)
            {
                throw new UnexpectedAnswerException($"The server closed a connection after: {Received()}");
            }

            _length += (int)count;
        }

        if (!Answer.TryRead(_received.AsSpan(0, _length), out answer))
        {
            return false;
        }

        if (answer.Length != _length)
        {
            throw new UnexpectedAnswerException($"More than an answer came: {Received()}");
        }

        _length = 0;
        return true;
    }

    public void Dispose() => _socket.Dispose();

    private string Received() => Encoding.UTF8.GetString(_received, 0, int.Min(_length, 500));
}
