using System.Runtime.InteropServices;

namespace RegistryFunctions.Benchmarks.Load;

/// <summary>Waits for any of many sockets to become readable (epoll(7)).</summary>
internal sealed unsafe class Epoll : IDisposable
{
    private const int MaxEvents = 64;

    // struct epoll_event is packed on x64 only: 4 bytes of flags, then 8 of the caller's.
    private static readonly int DataAt = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;
    private static readonly int EventSize = DataAt + 8;

    private readonly int _epoll = (int)Linux.Check(Linux.EpollCreate(0));
    private readonly byte[] _events = GC.AllocateArray<byte>(MaxEvents * EventSize, pinned: true);

    /// <summary>Watches a socket, from now on called <paramref name="name"/>.</summary>
    public void Watch(int socket, int name)
    {
        Span<byte> watch = stackalloc byte[EventSize];
        MemoryMarshal.Write(watch, Linux.EpollIn);
        MemoryMarshal.Write(watch[DataAt..], (long)name);
        fixed (byte* pointer = watch)
        {
            Linux.Check(Linux.EpollControl(_epoll, Linux.EpollAdd, socket, pointer));
        }
    }

    /// <summary>Waits; returns how many sockets are readable, at times none before the time is over.</summary>
    public int Wait(TimeSpan timeout)
    {
        var time = new Linux.TimeSpec(timeout);
        fixed (byte* pointer = _events)
        {
            int count = Linux.EpollWait(_epoll, pointer, MaxEvents, &time, null);
            return count < 0 && Marshal.GetLastPInvokeError() == Linux.InterruptedCall ? 0 : (int)Linux.Check(count);
        }
    }

    /// <summary>The name of a readable socket: one of as many as <see cref="Wait"/> has returned.</summary>
    public int Readable(int index) => (int)MemoryMarshal.Read<long>(_events.AsSpan(index * EventSize + DataAt));

    public void Dispose() => _ = Linux.Close(_epoll);
}
