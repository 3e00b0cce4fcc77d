using System.Threading.Channels;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

/// <summary>Publishes numbers that only grow, each until it is answered or refused.</summary>
internal sealed class PublishingDevice(IBundleStore store)
{
    /// <summary>Counts bundles in PostgreSQL that came before one with a smaller number.</summary>
    public const string CountOutOfOrder =
        """
        SELECT count(*) FROM (
            SELECT payload, lag(payload) OVER (PARTITION BY device ORDER BY seq) AS before FROM bundle) AS neighbours
        WHERE payload <= before
        """;

    private readonly Device _device = new();
    private readonly Channel<int> _acknowledgements = Channel.CreateUnbounded<int>();
    private readonly Channel<int> _refusals = Channel.CreateUnbounded<int>();
    private int _acknowledged;
    private int _sent;

    public async Task PublishAsync(CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            byte[] payload = BitConverter.GetBytes(++_sent);
            // Compared as bytes.
            Array.Reverse(payload);
            try
            {
                Assert.Equal(PublishOutcome.Stored, await store.PublishAsync(_device.Bundle(payload), CancellationToken.None));
                _acknowledged = _sent;
                _acknowledgements.Writer.TryWrite(_sent);
            }
            catch (StoreException)
            {
                // The server is gone; it may or may not be stored.
                _refusals.Writer.TryWrite(_sent);
            }
        }
    }

    /// <summary>Completes after so many more.</summary>
    public Task AcknowledgedAsync(int count) => MoreAsync(_acknowledgements, count);

    /// <summary>Completes after one more was refused.</summary>
    public Task RefusedAsync() => MoreAsync(_refusals, 1);

    public async Task AssertServedAsync(IBundleStore other)
    {
        Bundle newest = (await other.FindNewestAsync(_device.Id, CancellationToken.None))!;
        byte[] payload = newest.Payload.ToArray();
        Array.Reverse(payload);
        Assert.InRange(BitConverter.ToInt32(payload), _acknowledged, _sent);
    }

    private static async Task MoreAsync(Channel<int> numbers, int count)
    {
        while (numbers.Reader.TryRead(out _))
        {
        }

        for (int i = 0; i < count; i++)
        {
            await numbers.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromMinutes(2));
        }
    }
}
