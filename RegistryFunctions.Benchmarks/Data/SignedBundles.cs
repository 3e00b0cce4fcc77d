using System.Buffers.Binary;
using System.Runtime.InteropServices;
using NSec.Cryptography;
using RegistryFunctions.Bundles;

namespace RegistryFunctions.Benchmarks.Data;

/// <summary>
/// Numbered bundles, each of a device of its own and signed by it. Keys and payloads follow from the number;
/// signatures are made once and kept in a file, a record a bundle: 32 bytes of device id, 64 of signature.
/// </summary>
internal sealed class SignedBundles
{
    /// <summary>Length of every payload in bytes.</summary>
    public const int PayloadSize = 600;

    private const int RecordSize = DeviceId.Size + Signature.Size;

    private readonly BundleSeries _series;
    private readonly byte[] _records;

    private SignedBundles(BundleSeries series, byte[] records)
    {
        _series = series;
        _records = records;
    }

    /// <summary>How many there are.</summary>
    public int Count => _records.Length / RecordSize;

    /// <summary>The first bundles of a series; those that were never needed before are signed now.</summary>
    public static SignedBundles Load(string folder, BundleSeries series, int count)
    {
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, $"{series}.signed");
        byte[] records = new byte[count * RecordSize];
        int present;
        using (var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite))
        {
            present = file.ReadAtLeast(records, records.Length, throwOnEndOfStream: false) / RecordSize;
        }

        var bundles = new SignedBundles(series, records);
        if (present < count)
        {
            Console.WriteLine($"signing {count - present:N0} bundles, kept for later runs …");
            Parallel.For(present, count, bundles.Sign);
            string whole = path + ".new";
            File.WriteAllBytes(whole, records);
            File.Move(whole, path, overwrite: true);
        }

        return bundles;
    }

    /// <summary>The 32 bytes of the device id.</summary>
    public ReadOnlySpan<byte> DeviceOf(int number) => Record(number)[..DeviceId.Size];

    /// <summary>The 64 bytes of the signature.</summary>
    public ReadOnlySpan<byte> SignatureOf(int number) => Record(number)[DeviceId.Size..];

    /// <summary>Writes the 600 bytes of the payload.</summary>
    public void WritePayload(int number, Span<byte> payload)
    {
        var random = new SplitMix64(((ulong)_series << 32) | (uint)number);
        foreach (ref ulong word in MemoryMarshal.Cast<byte, ulong>(payload))
        {
            word = random.Next();
        }
    }

    /// <summary>The bundle as Retrieve finds it.</summary>
    public Bundle BundleOf(int number)
    {
        byte[] payload = new byte[PayloadSize];
        WritePayload(number, payload);
        return new Bundle(payload, new Signature(SignatureOf(number)));
    }

    /// <summary>The bundle as Register stores it.</summary>
    public VerifiedBundle VerifiedOf(int number)
    {
        var submission = new Submission(new DeviceId(DeviceOf(number)), BundleOf(number));
        return VerifiedBundle.TryVerify(submission, out VerifiedBundle? verified)
            ? verified
            : throw new InvalidOperationException($"The file of {_series} bundles is damaged: delete it.");
    }

    private void Sign(int number)
    {
        Span<byte> seed = stackalloc byte[32];
        BinaryPrimitives.WriteInt32LittleEndian(seed, (int)_series);
        BinaryPrimitives.WriteInt32LittleEndian(seed[4..], number);
        using var key = Key.Import(SignatureAlgorithm.Ed25519, seed, KeyBlobFormat.RawPrivateKey);
        key.PublicKey.Export(KeyBlobFormat.RawPublicKey).CopyTo(Record(number));

        Span<byte> payload = stackalloc byte[PayloadSize];
        WritePayload(number, payload);
        SignatureAlgorithm.Ed25519.Sign(key, payload, Record(number)[DeviceId.Size..]);
    }

    private Span<byte> Record(int number) => _records.AsSpan(number * RecordSize, RecordSize);
}

/// <summary>Bundles of different series have nothing in common.</summary>
internal enum BundleSeries
{
    /// <summary>In a database from the start.</summary>
    Stored = 1,

    /// <summary>To be published.</summary>
    Fresh = 2,
}
