namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>Something the registry should reach.</summary>
internal interface IMeasure
{
    /// <summary>How <c>--only</c> calls it.</summary>
    string Name { get; }

    /// <summary>Measures it.</summary>
    Task<Row> RunAsync(Bench bench);
}
