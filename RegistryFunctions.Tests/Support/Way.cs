namespace RegistryFunctions.Tests.Support;

/// <summary>How the registry is run. What a client sees is the same.</summary>
public enum Way
{
    /// <summary>By itself.</summary>
    StandAlone,

    /// <summary>As the worker of a Functions host, which the tests play.</summary>
    Worker,

    /// <summary>By itself, with its data in PostgreSQL.</summary>
    OnPostgres,
}
