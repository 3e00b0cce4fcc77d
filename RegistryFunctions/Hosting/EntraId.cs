using Azure.Core;
using Azure.Identity;
using RegistryFunctions.Settings;

namespace RegistryFunctions.Hosting;

/// <summary>Tokens of Microsoft Entra ID, with which a managed identity signs in to Azure's PostgreSQL.</summary>
internal static class EntraId
{
    // https://learn.microsoft.com/azure/postgresql/flexible-server/security-entra-configure
    private static readonly TokenRequestContext Database = new(["https://ossrdbms-aad.database.windows.net/.default"]);

    /// <summary>Gives the token of an identity that is good now.</summary>
    /// <exception cref="SettingException">This is the native executable, which Azure's packages do not support.</exception>
    public static Func<CancellationToken, ValueTask<string>> TokensOf(string identity)
    {
        if (Worker.IsIncluded)
        {
            var credential = new ManagedIdentityCredential(identity == IdentityAttribute.SystemAssigned
                ? ManagedIdentityId.SystemAssigned
                : ManagedIdentityId.FromUserAssignedClientId(identity));
            return async cancellationToken => (await credential.GetTokenAsync(Database, cancellationToken)).Token;
        }

        throw new SettingException(
            $"{SettingsReader.Variable(nameof(RegistryOptions.DbIdentity))}: is not in the native executable: use a password, or the .NET build");
    }
}
