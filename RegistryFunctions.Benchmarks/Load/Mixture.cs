namespace RegistryFunctions.Benchmarks.Load;

/// <summary>Fetches with a publication among them at every so many requests.</summary>
internal sealed class Mixture(Fetches fetches, Publications publications, int publicationOneIn) : ITraffic
{
    private int _requests;

    public Request WriteNext(Span<byte> buffer) =>
        ++_requests % publicationOneIn == 0 ? publications.WriteNext(buffer) : fetches.WriteNext(buffer);

    public bool IsExpected(in Request request, in Answer answer) => request.Kind == RequestKind.Write
        ? publications.IsExpected(request, answer)
        : fetches.IsExpected(request, answer);
}
