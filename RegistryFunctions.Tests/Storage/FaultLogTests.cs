using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using RegistryFunctions.Storage;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

public sealed class FaultLogTests : IDisposable
{
    private readonly LogCollector _logs = new();
    private readonly FakeTimeProvider _time = new();
    private readonly FaultLog _log;

    public FaultLogTests() => _log = new FaultLog(_logs.CreateLogger("store"), "written", _time);

    public void Dispose() => _logs.Dispose();

    [Fact]
    public void A_fault_is_told_when_it_begins_and_when_it_is_over()
    {
        Meet(StoreFault.Full);
        Meet(StoreFault.Full);
        _log.Healed();
        _log.Healed();
        Assert.Equal([LogLevel.Error, LogLevel.Information], _logs.Lines.Select(line => line.Level));
    }

    [Fact]
    public void A_fault_that_comes_and_goes_is_told_once_a_minute()
    {
        for (int seconds = 0; seconds < 120; seconds++)
        {
            Meet(StoreFault.Full);
            _log.Healed();
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(2, _logs.Lines.Count(line => line.Level == LogLevel.Error));
        Assert.Equal(2, _logs.Lines.Count(line => line.Level == LogLevel.Information));
    }

    [Fact]
    public void A_second_outage_within_the_minute_that_lasts_is_told_when_the_minute_is_over_and_so_is_its_end()
    {
        Meet(StoreFault.Full);
        _log.Healed();
        for (int seconds = 0; seconds < 90; seconds++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            Meet(StoreFault.Full);
            Assert.Equal(seconds < 59 ? 1 : 2, _logs.Lines.Count(line => line.Level == LogLevel.Error));
        }

        _log.Healed();
        Assert.Equal(2, _logs.Lines.Count(line => line.Level == LogLevel.Information));
    }

    [Fact]
    public void Another_fault_is_told_at_once()
    {
        Meet(StoreFault.Full);
        Meet(StoreFault.Unavailable);
        Assert.Equal(2, _logs.Lines.Count(line => line.Level == LogLevel.Error));
    }

    private void Meet(StoreFault fault) => _log.Report(fault, new StoreException(fault, "why"));
}
