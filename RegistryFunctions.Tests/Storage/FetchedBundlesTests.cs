using RegistryFunctions.Bundles;
using RegistryFunctions.Storage.Sqlite;
using RegistryFunctions.Tests.Support;

namespace RegistryFunctions.Tests.Storage;

public sealed class FetchedBundlesTests
{
    private const int MaxBytes = 100_000;

    private readonly FetchedBundles _fetched = new(MaxBytes);

    [Fact]
    public void A_bundle_is_kept_when_it_is_fetched_again()
    {
        DeviceId device = AnyDevice();
        Bundle bundle = BundleOf(600);
        _fetched.Add(device, 1, bundle, _fetched.Epoch);
        Assert.Null(_fetched.Find(device, 1));
        _fetched.Add(device, 1, bundle, _fetched.Epoch);
        Assert.Same(bundle, _fetched.Find(device, 1));
    }

    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    public void Any_number_that_a_row_may_have_will_do(long row)
    {
        DeviceId device = AnyDevice();
        Keep(device, row, BundleOf(600));
        Assert.NotNull(_fetched.Find(device, row));
    }

    [Fact]
    public void A_bundle_is_found_as_its_own_device_s_and_row_s_only()
    {
        DeviceId device = AnyDevice();
        // Keys that begin alike share a place.
        byte[] bytes = device.Span.ToArray();
        bytes[^1] ^= 1;
        Keep(device, 1, BundleOf(600));
        Assert.NotNull(_fetched.Find(device, 1));
        Assert.Null(_fetched.Find(device, 2));
        Assert.Null(_fetched.Find(new DeviceId(bytes), 1));
    }

    [Fact]
    public void What_was_read_before_a_drop_is_not_found_after_it_whenever_it_is_kept()
    {
        (DeviceId kept, DeviceId late) = (AnyDevice(), AnyDevice());
        Keep(kept, 1, BundleOf(600));
        int before = _fetched.Epoch;
        _fetched.Clear();
        Assert.Null(_fetched.Find(kept, 1));
        _fetched.Add(late, 2, BundleOf(600), before);
        _fetched.Add(late, 2, BundleOf(600), before);
        Assert.Null(_fetched.Find(late, 2));
        _fetched.Add(late, 2, BundleOf(600), _fetched.Epoch);
        Assert.NotNull(_fetched.Find(late, 2));
    }

    [Fact]
    public void No_more_bytes_are_kept_than_allowed_and_nearly_as_many()
    {
        const int Payload = 1_000;
        DeviceId[] devices = [.. Enumerable.Range(0, 1_000).Select(_ => AnyDevice())];
        for (int i = 0; i < devices.Length; i++)
        {
            Keep(devices[i], i + 1, BundleOf(Payload));
        }

        int found = devices.Where((device, i) => _fetched.Find(device, i + 1) is not null).Count();
        Assert.InRange(found * Payload, MaxBytes / 2, MaxBytes);
    }

    [Fact]
    public void One_that_is_larger_than_all_that_is_allowed_is_not_kept()
    {
        DeviceId device = AnyDevice();
        Keep(device, 1, BundleOf(MaxBytes));
        Assert.Null(_fetched.Find(device, 1));
        Keep(device, 2, BundleOf(600));
        Assert.NotNull(_fetched.Find(device, 2));
    }

    private void Keep(DeviceId device, long row, Bundle bundle)
    {
        _fetched.Add(device, row, bundle, _fetched.Epoch);
        _fetched.Add(device, row, bundle, _fetched.Epoch);
    }

    private static DeviceId AnyDevice() => new(Device.RandomPayload(DeviceId.Size));

    private static Bundle BundleOf(int length) => new(new byte[length], new Signature(new byte[Signature.Size]));
}
