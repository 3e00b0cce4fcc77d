namespace RegistryFunctions.Hosting;

/// <summary>The life of a host.</summary>
internal static class Serving
{
    /// <summary>Serves until something says stop: a signal, a Functions host. That may come while it still starts.</summary>
    public static async Task ServeAsync(this IHost host)
    {
        CancellationToken stopping = host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        try
        {
            await host.StartAsync();
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await host.StopAsync();
            return;
        }

        await host.WaitForShutdownAsync();
    }
}
