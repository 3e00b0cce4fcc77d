using RegistryFunctions.Bundles;

namespace RegistryFunctions.Storage.Content;

/// <summary>What a copy has done.</summary>
/// <param name="Devices">How many devices the target holds.</param>
/// <param name="Bundles">How many bundles.</param>
/// <param name="Written">How many devices were new or had changed.</param>
/// <param name="Removed">How many were no longer in the source.</param>
internal sealed record CopyResult(long Devices, long Bundles, long Written, long Removed);

/// <summary>
/// Makes one registry keep what another one keeps, in the same order. It writes only what differs, so it may be ended and run
/// again, and run again after the source has gone on serving.
/// </summary>
internal sealed class RegistryCopy(IRegistryContent source, ICopyTarget target, CancellationToken cancellationToken)
{
    private readonly CheckedRows _rows = new(most: 1);
    private int _mostHeld = 1;
    private long _devices;
    private long _written;
    private long _removed;

    /// <summary>Writes what the target lacks.</summary>
    /// <param name="progress">Told the share that is done, from 0 to 1.</param>
    /// <returns>How many devices were written.</returns>
    /// <exception cref="StoreException">A bundle of the source is damaged, or a side can't be used now.</exception>
    public async Task<long> CopyAsync(Action<double> progress)
    {
        await EachPageAsync(source, progress, CopyAsync);
        return _written;
    }

    /// <summary>
    /// Removes from the target what the source no longer has, and verifies every bundle in it; then servers may open it.
    /// </summary>
    /// <param name="progress">Told the share that is done, from 0 to 1.</param>
    /// <exception cref="StoreException">A bundle does not verify, or a side can't be used now.</exception>
    public async Task<CopyResult> VerifyAsync(Action<double> progress)
    {
        await EachPageAsync(target, progress, async devices =>
        {
            IReadOnlyList<DeviceContent> wanted = await source.ReadAsync(devices, cancellationToken);
            DeviceContent[] gone = [.. wanted.Where(content => content.Accepted.Count == 0)];
            if (gone.Length > 0)
            {
                await target.ReplaceAsync(gone, cancellationToken);
            }

            DeviceContent[] kept = [.. (await target.ReadAsync(devices, cancellationToken)).Where(content => content.Accepted.Count > 0)];
            _rows.Verify(CheckedRow.Of(kept), cancellationToken);
            if (_rows.Findings is [{ } finding, ..])
            {
                throw new StoreException(StoreFault.Damaged, $"{finding}: check the source");
            }

            _removed += gone.Length;
            _devices += kept.Length;
        });
        await target.CompleteAsync(_mostHeld);
        return new CopyResult(_devices, _rows.Count, _written, _removed);
    }

    private async Task CopyAsync(IReadOnlyList<DeviceId> devices)
    {
        IReadOnlyList<DeviceContent> wanted = await source.ReadAsync(devices, cancellationToken);
        if (wanted.FirstOrDefault(content => content.Accepted.Any(accepted => accepted.IsDamaged)) is { } damaged)
        {
            throw new StoreException(
                StoreFault.Damaged,
                $"row {damaged.Accepted.First(accepted => accepted.IsDamaged).Seq} of device {damaged.Device} in the source is damaged: check the source");
        }

        IReadOnlyList<DeviceContent> there = await target.ReadAsync(devices, cancellationToken);
        DeviceContent[] different = [.. wanted.Where((content, i) => !content.IsSameAs(there[i]))];
        if (different.Length > 0)
        {
            await target.ReplaceAsync(different, cancellationToken);
        }

        int gone = different.Count(content => content.Accepted.Count == 0);
        _removed += gone;
        _written += different.Length - gone;
        _mostHeld = int.Max(_mostHeld, wanted.Max(content => content.Held.Count()));
    }

    private async Task EachPageAsync(IRegistryContent content, Action<double> progress, Func<IReadOnlyList<DeviceId>, Task> work)
    {
        DeviceId? last = null;
        while (await content.DevicesAfterAsync(last, cancellationToken) is [.., var next] devices)
        {
            await work(devices);
            last = next;
            progress(content.ShareBefore(next));
        }
    }
}
