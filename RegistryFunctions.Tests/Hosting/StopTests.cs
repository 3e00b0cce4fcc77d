using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

/// <summary>SIGTERM while clients publish.</summary>
public sealed class StopTests : IDisposable
{
    private const int Load = 500;

    private readonly TestFolder _folder = new();
    private readonly ScriptRoot _root = new();

    public void Dispose()
    {
        _folder.Dispose();
        _root.Dispose();
    }

    [Fact]
    public async Task SIGTERM_under_load_answers_what_is_in_flight_and_ends_with_0()
    {
        string db = _folder.File("registry.db");
        var clients = new PublishingClients(16);
        await using (RegistryProcess server = RegistryProcess.StartAlone(db))
        {
            Assert.Equal(0, await StopUnderLoadAsync(server, clients));
        }

        // The store was closed: its log is copied and gone.
        Assert.Equal([db], Directory.GetFiles(_folder.Path));
        await using RegistryProcess again = RegistryProcess.StartAlone(db);
        await again.ReadyAsync();
        await clients.AssertAllAnsweredAsync(again);
    }

    [Fact]
    public async Task A_host_s_stop_under_load_ends_with_1()
    {
        var clients = new PublishingClients(16);
        await using (RegistryProcess handler = _root.StartHandler())
        {
            Assert.Equal(1, await StopUnderLoadAsync(handler, clients));
        }

        await using RegistryProcess again = _root.StartHandler();
        await again.ReadyAsync();
        await clients.AssertAllAnsweredAsync(again);
    }

    private static async Task<int> StopUnderLoadAsync(RegistryProcess server, PublishingClients clients)
    {
        await server.ReadyAsync();
        Task load = clients.PublishUntilTheEndAsync(server);
        while (clients.Acknowledged < Load)
        {
            Assert.False(load.IsCompleted, $"{load.Exception} {server.Errors}");
            await Task.Delay(1);
        }

        server.Terminate();
        // Each answer up to the end is 204; a client ends only when its connection is closed or refused.
        await load;
        int code = await server.ExitAsync();
        Assert.Empty(server.Errors);
        return code;
    }
}
