namespace RegistryFunctions.Benchmarks.Load;

/// <summary>What a load sends and which answers are right. Used by one thread.</summary>
internal interface ITraffic
{
    /// <summary>Writes the next request.</summary>
    Request WriteNext(Span<byte> buffer);

    /// <summary>Whether this is the right answer to <paramref name="request"/>.</summary>
    bool IsExpected(in Request request, in Answer answer);
}

/// <summary>A request that was written.</summary>
/// <param name="Length">Its bytes.</param>
/// <param name="Kind">Whether it changes the registry.</param>
/// <param name="Bundle">The number of the bundle it is about.</param>
internal readonly record struct Request(int Length, RequestKind Kind, int Bundle);

internal enum RequestKind
{
    Read,
    Write,
}
