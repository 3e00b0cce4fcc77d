using System.Text.Json;
using RegistryFunctions.Tests.Support.Rpc;

namespace RegistryFunctions.Tests.Support;

/// <summary>A function as the worker describes it.</summary>
/// <param name="Id">What the worker calls it by, another one at every start.</param>
/// <param name="Name">The function's name.</param>
/// <param name="EntryPoint">Type and method.</param>
/// <param name="ScriptFile">The assembly.</param>
/// <param name="Bindings">As functions.metadata has them.</param>
internal sealed record FunctionMetadata(
    string Id, string Name, string EntryPoint, string ScriptFile, IReadOnlyList<JsonElement> Bindings)
{
    public JsonElement Trigger { get; } = Bindings.Single(
        binding => binding.GetProperty("type").GetString()!.EndsWith("Trigger", StringComparison.OrdinalIgnoreCase));

    /// <summary>Such as httpTrigger.</summary>
    public string TriggerType => Text("type")!;

    /// <summary>The name of the parameter that the trigger gives its value to.</summary>
    public string TriggerName => Text("name")!;

    public bool IsHttp => TriggerType.Equals("httpTrigger", StringComparison.OrdinalIgnoreCase);

    public string? Route => Text("route");

    public string? AuthLevel => Text("authLevel");

    public string? Schedule => Text("schedule");

    public IReadOnlyList<string> Methods => Trigger.TryGetProperty("methods", out JsonElement methods)
        ? [.. methods.EnumerateArray().Select(method => method.GetString()!)]
        : [];

    public static FunctionMetadata From(RpcFunctionMetadata told) => new(
        told.FunctionId,
        told.Name,
        told.EntryPoint,
        told.ScriptFile,
        [.. told.RawBindings.Select(binding => JsonSerializer.Deserialize<JsonElement>(binding))]);

    /// <summary>What the host has the worker load: it makes the bindings out of their JSON, as the real host does.</summary>
    public RpcFunctionMetadata ToLoad() => new()
    {
        Name = Name,
        EntryPoint = EntryPoint,
        ScriptFile = ScriptFile,
        Bindings =
        {
            Bindings.ToDictionary(
                binding => binding.GetProperty("name").GetString()!,
                binding => new BindingInfo
                {
                    Type = binding.GetProperty("type").GetString()!,
                    Direction = Enum.Parse<BindingInfo.Types.Direction>(
                        binding.GetProperty("direction").GetString()!, ignoreCase: true),
                }),
        },
    };

    private string? Text(string member) => Trigger.TryGetProperty(member, out JsonElement value) ? value.GetString() : null;
}
