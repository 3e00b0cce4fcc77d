namespace RegistryFunctions.Tests.Support;

/// <summary>The registry did not start, and said why in this one line.</summary>
internal sealed class StartRefusedException(string line) : Exception(line);
