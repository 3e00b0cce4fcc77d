using RegistryFunctions.Hosting;

// Started by a Functions host, this is its worker; otherwise it is the stand-alone server with its commands.
return await Refusal.GuardAsync(() => Worker.IsIncluded && Worker.IsStartedByHost(args)
    ? Worker.RunAsync(args)
    : CommandLine.RunAsync(args, StandAlone.RunAsync));
