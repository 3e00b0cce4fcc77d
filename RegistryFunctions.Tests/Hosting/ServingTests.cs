using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using RegistryFunctions.Hosting;
using RegistryFunctions.Settings;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Hosting;

public sealed class ServingTests : IDisposable
{
    private readonly TestFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Stopping_during_startup_is_clean()
    {
        string db = _folder.File("registry.db");
        RegistryOptions options = SettingsReader.Read(new ConfigurationBuilder().Build());
        (options.Bind, options.Db) = ("127.0.0.1:0", db);
        await using (WebApplication app = StandAlone.Build(
            options, TimeProvider.System, builder => builder.Services.AddHostedService<StopsAtStart>()))
        {
            await app.ServeAsync(options.Bind).WaitAsync(TimeSpan.FromMinutes(1));
        }

        Assert.Equal([db], Directory.GetFiles(_folder.Path));
    }

    private sealed class StopsAtStart(IHostApplicationLifetime lifetime) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            lifetime.StopApplication();
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
