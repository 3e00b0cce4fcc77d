using System.Buffers.Binary;
using System.Text;
using Microsoft.Data.Sqlite;
using Microsoft.Win32.SafeHandles;
using RegistryFunctions.Bundles;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// Looks for damage in the file of a registry, one in use or a backup, without changing anything of it or beside it.
/// </summary>
internal sealed class SqliteCheck : IDisposable
{
    // How much is told of each kind of finding.
    private const int MostFindings = 20;

    private readonly string _path;
    private readonly SqliteSession _session;
    private readonly bool _inUse;
    private readonly (long Length, DateTime Written) _stateBefore;

    private SqliteCheck(string path)
    {
        _path = path;
        _stateBefore = State();
        _session = SqliteFile.OpenForCheck(path, SqliteSchema.Migrations, out _inUse);
    }

    /// <summary>Opens the file.</summary>
    /// <exception cref="StoreOpenException">There is no such file, or it is no registry's.</exception>
    public static SqliteCheck Open(string path) => new(DatabasePath.Find(path));

    /// <summary>What SQLite finds wrong with its pages, tables and indexes, a line each; the first twenty.</summary>
    public IReadOnlyList<string> FindStructuralDamage(CancellationToken cancellationToken)
    {
        var found = new List<string>();
        string? error = TryRead(
            () =>
            {
                CompareLength(found);
                ReadIntegrity(found);
            },
            cancellationToken);
        return error is null ? found : [.. found, error];
    }

    /// <summary>
    /// Verifies the checksum and the signature of every bundle that is there at the start. Reads some at a time, so that the
    /// write-ahead log of a file in use can be begun anew meanwhile.
    /// </summary>
    /// <param name="progress">Told the share that is done, from 0 to 1.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public CheckedRows VerifyRows(Action<double> progress, CancellationToken cancellationToken)
    {
        var rows = new CheckedRows(MostFindings);
        rows.Unreadable = TryRead(() => VerifyRows(rows, progress, cancellationToken), cancellationToken);
        return rows;
    }

    /// <summary>How many devices there are; null where the file is too damaged to tell.</summary>
    public long? CountDevices(CancellationToken cancellationToken)
    {
        long? devices = null;
        TryRead(() => devices = _session.Scalar<long>("SELECT count(DISTINCT device) FROM bundle"), cancellationToken);
        return devices;
    }

    /// <summary>Refuses what was found where a file that nobody used when it was opened was used since.</summary>
    /// <exception cref="StoreOpenException">The file was changed.</exception>
    public void RefuseChanged()
    {
        if (!_inUse && (SqliteFile.HasLog(_path) || State() != _stateBefore))
        {
            throw new StoreOpenException($"{_path}: a registry started using it during the check: check it again");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _session.Dispose();

    // SQLite itself goes by what it finds (https://www.sqlite.org/fileformat.html#the_database_header).
    private void CompareLength(List<string> found)
    {
        const int PageCount = 28;
        // Where there is a log, the end of the file may be in it.
        if (_inUse)
        {
            return;
        }

        Span<byte> pages = stackalloc byte[sizeof(uint)];
        using SafeFileHandle file = File.OpenHandle(_path);
        RandomAccess.Read(file, pages, PageCount);
        long length = BinaryPrimitives.ReadUInt32BigEndian(pages) * _session.Scalar<long>("PRAGMA page_size");
        if (_stateBefore.Length < length)
        {
            found.Add($"the file is cut off: it is {_stateBefore.Length} bytes long, not {length}");
        }
    }

    private void ReadIntegrity(List<string> found)
    {
        SqliteStatement integrity = _session.Prepare($"PRAGMA integrity_check({MostFindings})");
        foreach (SqliteStatement row in integrity.Rows())
        {
            string text = Encoding.UTF8.GetString(row.Blob(0));
            if (text != "ok")
            {
                found.AddRange(text.Split('\n'));
            }
        }
    }

    private void VerifyRows(CheckedRows rows, Action<double> progress, CancellationToken cancellationToken)
    {
        long last = _session.Scalar<long>("SELECT coalesce(max(seq), 0) FROM bundle");
        SqliteStatement next = _session.Prepare(
            """
            SELECT seq, device, signature, payload, digest, checksum, head FROM accepted
            WHERE seq > ? AND seq <= ? AND payload IS NOT NULL ORDER BY seq
            """);
        while (ReadBatch(next, rows.LastSeq, last) is { Count: > 0 } batch)
        {
            rows.Verify(batch, cancellationToken);
            progress((double)rows.LastSeq / last);
        }
    }

    private static List<CheckedRow> ReadBatch(SqliteStatement next, long after, long last)
    {
        var batch = new List<CheckedRow>(SqliteTuning.RowsPerCheckBatch);
        int bytes = 0;
        foreach (SqliteStatement found in next.Bind(1, after).Bind(2, last).Rows())
        {
            CheckedRow row = ReadRow(found);
            if (row.Seq <= after)
            {
                throw new SqliteException("rows are out of order", raw.SQLITE_CORRUPT);
            }

            batch.Add(row);
            after = row.Seq;
            bytes += row.Submission?.Bundle.Payload.Length ?? 0;
            if (batch.Count == SqliteTuning.RowsPerCheckBatch || bytes >= SqliteTuning.BytesPerCheckBatch)
            {
                break;
            }
        }

        return batch;
    }

    private static CheckedRow ReadRow(SqliteStatement next)
    {
        Submission? submission = null;
        ReadOnlySpan<byte> device = next.Blob(1);
        if (device.Length == DeviceId.Size && BundleTable.HeadOf(device) == next.Int64(6))
        {
            var id = new DeviceId(device);
            if (StoredRow.TryRead(id, next.Blob(2), next.Blob(3), next.Int64(4), next.Int64(5), out Bundle? bundle))
            {
                submission = new Submission(id, bundle);
            }
        }

        return new CheckedRow(next.Int64(0), submission);
    }

    // Returns what the damage stopped it with, or null.
    private string? TryRead(Action read, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using CancellationTokenRegistration interruption =
            cancellationToken.Register(() => raw.sqlite3_interrupt(_session.Handle));
        try
        {
            read();
            return null;
        }
        catch (SqliteException e) when (e.SqliteErrorCode == raw.SQLITE_INTERRUPT)
        {
            throw new OperationCanceledException(e.Message, e, cancellationToken);
        }
        catch (SqliteException e) when (SqliteFault.Of(e) == StoreFault.Busy)
        {
            throw new StoreOpenException($"{_path}: {SqliteFault.Explain(e)}", e);
        }
        catch (SqliteException e)
        {
            return e.Message;
        }
    }

    private (long Length, DateTime Written) State()
    {
        var file = new FileInfo(_path);
        return file.Exists ? (file.Length, file.LastWriteTimeUtc) : default;
    }
}
