namespace RegistryFunctions.Tests.Endurance;

/// <summary>The long tests, one after another: each wants the machine to itself.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Suite
{
    public const string Name = "endurance";
}
