using System.Security.Cryptography;
using System.Text.Json;
using NSec.Cryptography;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Tests.Support;

/// <summary>A device of a chat user: it has a key and signs payloads.</summary>
internal sealed class Device
{
    private readonly Key _key = Key.Create(SignatureAlgorithm.Ed25519);

    public DeviceId Id => new(_key.PublicKey.Export(KeyBlobFormat.RawPublicKey));

    public string Hex => Id.ToString();

    public byte[] Sign(ReadOnlySpan<byte> payload) => SignatureAlgorithm.Ed25519.Sign(_key, payload);

    /// <summary>What the device posts to publish the payload.</summary>
    public string Publication(ReadOnlySpan<byte> payload) => Json(Hex, payload, Sign(payload));

    public VerifiedBundle Bundle(ReadOnlySpan<byte> payload)
    {
        var submission = new Submission(Id, new Bundle(payload.ToArray(), new Signature(Sign(payload))));
        return VerifiedBundle.TryVerify(submission, out VerifiedBundle? verified)
            ? verified
            : throw new InvalidOperationException("A device's own signature must verify.");
    }

    public static string Json(string device, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> signature) =>
        JsonSerializer.Serialize(new
        {
            device_id = device,
            payload = Convert.ToBase64String(payload),
            signature = Convert.ToBase64String(signature),
        });

    /// <summary>Frees the key now. Each takes several memory mappings, of which a process may have some ten thousand.</summary>
    public void Erase() => _key.Dispose();

    public static byte[] RandomPayload(int length = 600) => RandomNumberGenerator.GetBytes(length);
}
