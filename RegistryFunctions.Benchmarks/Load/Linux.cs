using System.ComponentModel;
using System.Runtime.InteropServices;

namespace RegistryFunctions.Benchmarks.Load;

/// <summary>Linux's own calls: with .NET's sockets the load would cost the server more of the machine.</summary>
internal static unsafe partial class Linux
{
    public const int InterruptedCall = 4;
    public const int WouldBlock = 11;

    /// <summary>Readable, in epoll's terms.</summary>
    public const uint EpollIn = 1;

    public const int EpollAdd = 1;

    private const int SetTimerSlack = 29;
    private const int Terminate = 15;

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    public static partial nint Send(int socket, byte* bytes, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    public static partial nint Receive(int socket, byte* bytes, nint length, int flags);

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    public static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    public static partial int EpollControl(int epoll, int operation, int socket, void* epollEvent);

    [LibraryImport("libc", EntryPoint = "epoll_pwait2", SetLastError = true)]
    public static partial int EpollWait(int epoll, void* events, int count, TimeSpec* timeout, void* signals);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int file);

    /// <summary>Lets this thread's timeouts end on time, not up to 50 µs later (prctl(2), PR_SET_TIMERSLACK).</summary>
    public static void WakeOnTime() => Check(ProcessControl(SetTimerSlack, 1, 0, 0, 0));

    /// <summary>SIGTERM, as an init system or a person stops a server.</summary>
    public static void Stop(int process) => _ = Kill(process, Terminate);

    /// <summary>Throws where a call failed.</summary>
    public static nint Check(nint result) =>
        result >= 0 ? result : throw new Win32Exception(Marshal.GetLastPInvokeError());

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int ProcessControl(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    /// <summary>struct timespec of 64-bit systems.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public readonly struct TimeSpec(TimeSpan time)
    {
        private readonly long _seconds = time.Ticks / TimeSpan.TicksPerSecond;
        private readonly long _nanoseconds = time.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick;
    }
}
