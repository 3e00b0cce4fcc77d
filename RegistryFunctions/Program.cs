using RegistryFunctions.Hosting;

return await CommandLine.RunAsync(args, async (options, host) =>
{
    await using WebApplication app = RegistryApp.Build(options, host, TimeProvider.System);
    await app.RunAsync();
    return host is null ? 0 : FunctionsHost.ExitCode;
});
