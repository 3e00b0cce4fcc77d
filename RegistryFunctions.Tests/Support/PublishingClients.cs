using System.Net;

namespace RegistryFunctions.Tests.Support;

/// <summary>
/// Clients that publish until the server is gone, each for devices of its own, and know what every device must then be
/// served with: what was answered last, or what was in flight.
/// </summary>
internal sealed class PublishingClients(int count)
{
    private const int DevicesPerClient = 8;

    private readonly PublishingDevice[][] _devices =
    [
        .. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, DevicesPerClient).Select(_ => new PublishingDevice()).ToArray()),
    ];

    private int _acknowledged;

    /// <summary>How many publishes were answered with 204.</summary>
    public int Acknowledged => Volatile.Read(ref _acknowledged);

    /// <summary>
    /// Begins to publish, and returns once so many more publishes were answered. The task returned ends when the server does; with
    /// an exception where anything else goes wrong.
    /// </summary>
    public async Task<Task> PublishAsync(RegistryProcess server, int atLeast)
    {
        int enough = Acknowledged + atLeast;
        Task load = PublishUntilTheEndAsync(server);
        while (Acknowledged < enough)
        {
            // Clients that end before the server have found something wrong.
            Assert.False(load.IsCompleted, $"{load.Exception} {server.Errors}");
            await Task.Delay(1);
        }

        return load;
    }

    /// <summary>Publishes until the connection breaks; ends with an exception where anything else goes wrong.</summary>
    public Task PublishUntilTheEndAsync(RegistryProcess server) =>
        Task.WhenAll(_devices.Select(devices => PublishUntilTheEndAsync(server, devices)));

    /// <summary>Asserts that the server serves what it has answered with 204, or what came after it.</summary>
    public async Task AssertServedAsync(RegistryProcess server)
    {
        foreach (PublishingDevice device in _devices.SelectMany(devices => devices))
        {
            await device.AssertServedAsync(server);
        }
    }

    /// <summary>Asserts that the server serves what was answered last: nothing was stored that was not answered.</summary>
    public async Task AssertAllAnsweredAsync(RegistryProcess server)
    {
        foreach (PublishingDevice device in _devices.SelectMany(devices => devices))
        {
            await device.AssertAnsweredAsync(server);
        }
    }

    private async Task PublishUntilTheEndAsync(RegistryProcess server, PublishingDevice[] devices)
    {
        try
        {
            for (int i = 0; ; i++)
            {
                await devices[i % devices.Length].PublishNextAsync(server);
                Interlocked.Increment(ref _acknowledged);
            }
        }
        catch (HttpRequestException)
        {
            // The server is gone.
        }
    }

    /// <summary>A device whose payloads are numbers that only grow.</summary>
    private sealed class PublishingDevice
    {
        private readonly Device _device = new();
        private int _acknowledged;
        private int _sent;

        public async Task PublishNextAsync(RegistryProcess server)
        {
            int number = ++_sent;
            using HttpResponseMessage response = await server.PublishAsync(_device, BitConverter.GetBytes(number));
            if (response is { StatusCode: HttpStatusCode.InternalServerError, Content.Headers.ContentLength: 0 })
            {
                throw new HttpRequestException("A Functions host that has lost its worker answers by itself.");
            }

            Assert.True(HttpStatusCode.NoContent == response.StatusCode, $"{response.StatusCode}: {server.Errors}");
            _acknowledged = number;
        }

        public async Task AssertServedAsync(RegistryProcess server) =>
            Assert.InRange(await ServedAsync(server), _acknowledged, _sent);

        public async Task AssertAnsweredAsync(RegistryProcess server) =>
            Assert.Equal(_acknowledged, await ServedAsync(server));

        private async Task<int> ServedAsync(RegistryProcess server)
        {
            byte[]? payload = await server.FetchAsync(_device);
            return payload is null ? 0 : BitConverter.ToInt32(payload);
        }
    }
}
