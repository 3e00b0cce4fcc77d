using RegistryFunctions.Hosting;

return await CommandLine.RunAsync(args, async (options, host) =>
{
    await using WebApplication app = RegistryApp.Build(options, host, TimeProvider.System);
    await app.StartOrRefuseAsync(options, host);
    await app.WaitForShutdownAsync();
    return host is null ? 0 : FunctionsHost.ExitCode;
});
