using RegistryFunctions.Bundles;
using RegistryFunctions.Storage.Content;

namespace RegistryFunctions.Storage;

/// <summary>A row that is to be checked.</summary>
/// <param name="Seq">Its place in the order of acceptance.</param>
/// <param name="Submission">What it holds; null where its checksum does not match.</param>
/// <param name="Device">Whose it is, where the row is found only with it.</param>
internal readonly record struct CheckedRow(long Seq, Submission? Submission, DeviceId? Device = null)
{
    /// <summary>The bundles of devices.</summary>
    public static IReadOnlyList<CheckedRow> Of(IEnumerable<DeviceContent> devices) =>
    [
        .. from content in devices
           from held in content.Held
           select new CheckedRow(
               held.Seq, held.Bundle is null ? null : new Submission(content.Device, held.Bundle), content.Device),
    ];
}

/// <summary>What a check has found in the rows.</summary>
/// <param name="most">How many findings are told; the rest is counted.</param>
internal sealed class CheckedRows(int most)
{
    private readonly List<string> _findings = [];

    /// <summary>How many rows were read.</summary>
    public long Count { get; private set; }

    /// <summary>How many of them are damaged.</summary>
    public long Damaged { get; private set; }

    /// <summary>The row that was read last, or 0.</summary>
    public long LastSeq { get; private set; }

    /// <summary>Why the rows after it can't be read; null where all were.</summary>
    public string? Unreadable { get; set; }

    /// <summary>A line for each of the first damaged rows.</summary>
    public IReadOnlyList<string> Findings => _findings;

    /// <summary>Verifies the signatures of the next rows, on all cores.</summary>
    public void Verify(IReadOnlyList<CheckedRow> rows, CancellationToken cancellationToken)
    {
        var damage = new string?[rows.Count];
        Parallel.For(
            0, rows.Count, new ParallelOptions { CancellationToken = cancellationToken }, i => damage[i] = DamageOf(rows[i]));
        for (int i = 0; i < rows.Count; i++)
        {
            Add(rows[i], damage[i]);
        }
    }

    // Returns what is wrong, or null.
    private static string? DamageOf(CheckedRow row) =>
        row.Submission is null ? "is damaged: its checksum does not match"
        : VerifiedBundle.TryVerify(row.Submission, out _) ? null
        : "its signature does not verify";

    private void Add(CheckedRow row, string? damage)
    {
        Count++;
        LastSeq = row.Seq;
        if (damage is null)
        {
            return;
        }

        Damaged++;
        if (_findings.Count < most)
        {
            _findings.Add(row.Device is { } device ? $"row {row.Seq} of device {device}: {damage}" : $"row {row.Seq}: {damage}");
        }
    }
}
