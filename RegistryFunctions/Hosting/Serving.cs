using System.Net.Sockets;

namespace RegistryFunctions.Hosting;

/// <summary>It can't serve. The message is one line that says why.</summary>
public sealed class ServeException(string message) : Exception(message);

/// <summary>Runs a host until it is told to stop.</summary>
internal static class Serving
{
    /// <summary>Serves until something says stop: a signal, a Functions host. That may come while it still starts.</summary>
    /// <param name="host">What to run.</param>
    /// <param name="where">The address it listens on, as a refusal says it.</param>
    /// <exception cref="ServeException">It can't listen there.</exception>
    public static async Task ServeAsync(this IHost host, string where)
    {
        CancellationToken stopping = host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        try
        {
            await host.StartAsync();
        }
        catch (Exception) when (stopping.IsCancellationRequested)
        {
            await host.StopAsync();
            return;
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw new ServeException($"can't listen on {where}: {(e.InnerException ?? e).Message}");
        }

        await host.WaitForShutdownAsync();
    }
}
