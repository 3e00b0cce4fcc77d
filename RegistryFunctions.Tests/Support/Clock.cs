using Microsoft.Extensions.Time.Testing;

namespace RegistryFunctions.Tests.Support;

/// <summary>A clock in the test's hands. Time passes by the members it inherits; it is wrong by <see cref="Ahead"/>.</summary>
internal sealed class Clock() : FakeTimeProvider(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero))
{
    /// <summary>How far it was set ahead of the time that has passed.</summary>
    public TimeSpan Ahead { get; set; }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Ahead;

    public override long GetTimestamp() => base.GetUtcNow().Ticks;
}
