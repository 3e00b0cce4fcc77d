namespace RegistryFunctions.Storage.Sqlite;

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

    /// <summary>A line for each of the first damaged rows. It names the row by its place in the order of acceptance.</summary>
    public IReadOnlyList<string> Findings => _findings;

    /// <summary>Adds a row, with what is wrong with it or null.</summary>
    public void Add(long seq, string? damage)
    {
        Count++;
        LastSeq = seq;
        if (damage is null)
        {
            return;
        }

        Damaged++;
        if (_findings.Count < most)
        {
            _findings.Add($"row {seq}: {damage}");
        }
    }
}
