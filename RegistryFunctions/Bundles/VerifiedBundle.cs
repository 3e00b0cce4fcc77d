using System.Diagnostics.CodeAnalysis;
using NSec.Cryptography;

namespace RegistryFunctions.Bundles;

/// <summary>
/// A bundle that its device has signed: <see cref="TryVerify"/> is the only way to one, so whoever holds one
/// need not check again.
/// </summary>
/// <remarks>
/// Ed25519 as in RFC 8032, section 5.1.7, without the cofactor, and strict: small-order keys, small-order or
/// non-canonical R, non-canonical keys and S ≥ L are refused. It is the verdict of libsodium's
/// crypto_sign_verify_detached, and of ed25519-dalek's verify_strict, so every consumer accepts what is
/// accepted here.
/// </remarks>
public sealed class VerifiedBundle
{
    private readonly DeviceId _device;

    private VerifiedBundle(in DeviceId device, Bundle bundle)
    {
        _device = device;
        Bundle = bundle;
    }

    /// <summary>The device that signed.</summary>
    public ref readonly DeviceId Device => ref _device;

    /// <summary>The bundle it signed.</summary>
    public Bundle Bundle { get; }

    /// <summary>Verifies the signature of <paramref name="submission"/> over its payload under its device id.</summary>
    public static bool TryVerify(Submission submission, [NotNullWhen(true)] out VerifiedBundle? verified)
    {
        verified = IsSigned(submission.Device, submission.Bundle)
            ? new VerifiedBundle(submission.Device, submission.Bundle)
            : null;
        return verified is not null;
    }

    private static bool IsSigned(in DeviceId device, Bundle bundle) =>
        PublicKey.TryImport(SignatureAlgorithm.Ed25519, device.Span, KeyBlobFormat.RawPublicKey, out PublicKey? key)
        && SignatureAlgorithm.Ed25519.Verify(key!, bundle.Payload.Span, bundle.Signature.Span);
}
