namespace RegistryFunctions.Benchmarks.Load;

/// <summary>An answer was not the expected one: what was measured means nothing.</summary>
internal sealed class UnexpectedAnswerException(string message) : Exception(message);
