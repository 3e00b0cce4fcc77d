using Microsoft.Data.Sqlite;
using RegistryFunctions.Bundles;
using RegistryFunctions.Storage.Content;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>All that a file holds, device by device.</summary>
internal sealed class SqliteContent : ICopyTarget
{
    private readonly string _path;
    private readonly SqliteSession _session;
    private readonly SqliteStatement _next;
    private readonly SqliteStatement _ofDevice;
    private readonly SqliteStatement _remove;
    private readonly SqliteStatement _insert;

    private SqliteContent(string path, SqliteSession session)
    {
        _path = path;
        _session = session;
        _next = session.Prepare("SELECT device FROM accepted WHERE (head, device) > (?, ?) ORDER BY head, device LIMIT 1");
        _ofDevice = session.Prepare(
            """
            SELECT seq, received, digest, checksum, signature, payload FROM accepted
            WHERE head = ? AND device = ? ORDER BY seq
            """);
        _remove = session.Prepare("DELETE FROM accepted WHERE head = ? AND device = ?");
        _insert = session.Prepare(
            """
            INSERT INTO accepted (head, device, received, digest, checksum, signature, payload)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """);
    }

    /// <summary>Opens the file of a registry, in use or not, to read it.</summary>
    /// <exception cref="StoreOpenException">There is no such file, or it is no registry's.</exception>
    public static SqliteContent OpenForReading(string path)
    {
        path = DatabasePath.Find(path);
        return SqliteFile.OpenForBackup(path, SqliteSchema.Migrations).Into(session => new SqliteContent(path, session));
    }

    /// <summary>Opens a file, which need not exist, to copy a registry into it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="source">The registry that is copied, as people know it.</param>
    /// <param name="logger">Warned where the file system may be unsafe.</param>
    /// <exception cref="StoreOpenException">It can't hold a registry, or holds something else.</exception>
    public static SqliteContent OpenForCopying(string path, string source, ILogger logger)
    {
        path = DatabasePath.Prepare(path, allowNetworkFs: false, logger);
        return SqliteFile.OpenForCopying(path, SqliteSchema.Migrations, source).Into(session => new SqliteContent(path, session));
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<DeviceId>> DevicesAfterAsync(DeviceId? last, CancellationToken cancellationToken) => Guard<IReadOnlyList<DeviceId>>(() =>
    {
        cancellationToken.ThrowIfCancellationRequested();
        using SqliteTransaction snapshot = _session.Begin(deferred: true);
        var devices = new List<DeviceId>(SqliteTuning.DevicesPerCopyStep);
        while (devices.Count < SqliteTuning.DevicesPerCopyStep && Next(last) is { } next)
        {
            devices.Add(next);
            last = next;
        }

        return devices;
    });

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<DeviceContent>> ReadAsync(IReadOnlyList<DeviceId> devices, CancellationToken cancellationToken) =>
        Guard<IReadOnlyList<DeviceContent>>(() =>
        {
            using SqliteTransaction snapshot = _session.Begin(deferred: true);
            var contents = new List<DeviceContent>(devices.Count);
            foreach (DeviceId device in devices)
            {
                cancellationToken.ThrowIfCancellationRequested();
                contents.Add(new DeviceContent(device, Read(device)));
            }

            return contents;
        });

    /// <inheritdoc/>
    public double ShareBefore(DeviceId device) => (BundleTable.HeadOf(device.Span) / Math.Pow(2, 64)) + 0.5;

    /// <inheritdoc/>
    public ValueTask ReplaceAsync(IReadOnlyList<DeviceContent> devices, CancellationToken cancellationToken) => Guard(() =>
    {
        cancellationToken.ThrowIfCancellationRequested();
        using SqliteTransaction transaction = _session.Begin(deferred: false);
        SqliteCopyMark.RefuseServed(_session);
        foreach (DeviceContent content in devices)
        {
            _remove.Bind(1, BundleTable.HeadOf(content.Device.Span)).Bind(2, content.Device.Span).Execute();
            foreach (Acceptance accepted in content.Accepted)
            {
                Insert(content.Device, accepted);
            }
        }

        transaction.Commit();
    });

    /// <inheritdoc/>
    public ValueTask CompleteAsync(int held) => Guard(() =>
    {
        using (SqliteTransaction transaction = _session.Begin(deferred: false))
        {
            SqliteCopyMark.RefuseServed(_session);
            _session.Prepare("INSERT OR REPLACE INTO held_per_device (one, at_most) VALUES (1, ?)").Bind(1, held).Execute();
            _session.Execute("UPDATE copy SET is_complete = 1");
            transaction.Commit();
        }

        // All in the one file.
        _session.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
    });

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _session.Dispose();
        return ValueTask.CompletedTask;
    }

    private DeviceId? Next(DeviceId? last)
    {
        ReadOnlySpan<byte> after = last is { } device ? device.Span.ToArray() : [];
        foreach (SqliteStatement row in _next.Bind(1, BundleTable.HeadOf(after)).Bind(2, after).Rows())
        {
            return row.Blob(0) is { Length: DeviceId.Size } next
                ? new DeviceId(next)
                : throw StoredRow.Damaged();
        }

        return null;
    }

    private List<Acceptance> Read(DeviceId device)
    {
        var accepted = new List<Acceptance>();
        foreach (SqliteStatement row in _ofDevice.Bind(1, BundleTable.HeadOf(device.Span)).Bind(2, device.Span).Rows())
        {
            bool isHeld = !row.IsNull(5);
            Bundle? bundle = null;
            if (isHeld)
            {
                StoredRow.TryRead(device, row.Blob(4), row.Blob(5), row.Int64(2), row.Int64(3), out bundle);
            }

            accepted.Add(new Acceptance(row.Int64(0), row.Int64(1), row.Int64(2), isHeld, bundle));
        }

        return accepted;
    }

    private void Insert(in DeviceId device, Acceptance accepted)
    {
        _insert.Bind(1, BundleTable.HeadOf(device.Span)).Bind(2, device.Span).Bind(3, accepted.Received).Bind(4, accepted.Digest);
        if (accepted.Bundle is { } bundle)
        {
            _insert
                .Bind(5, Digest.OfRow(device, bundle.Signature, accepted.Digest))
                .Bind(6, bundle.Signature.Span)
                .Bind(7, bundle.Payload.Span)
                .Execute();
        }
        else
        {
            // The checksum is that of a bundle.
            _insert.Bind(5, 0).BindNull(6).BindNull(7).Execute();
        }
    }

    private ValueTask Guard(Action work)
    {
        _ = Run(() =>
        {
            work();
            return true;
        });
        return ValueTask.CompletedTask;
    }

    private ValueTask<T> Guard<T>(Func<T> work) => ValueTask.FromResult(Run(work));

    private T Run<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (SqliteException e)
        {
            throw new StoreException(SqliteFault.Of(e) ?? StoreFault.Unavailable, $"{_path}: {SqliteFault.Explain(e)}", e);
        }
    }
}
