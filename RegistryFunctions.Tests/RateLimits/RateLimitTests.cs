using System.Net;
using RegistryFunctions.RateLimits;

namespace RegistryFunctions.Tests.RateLimits;

public sealed class RateLimitTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    [Fact]
    public void A_flood_of_keys_uses_bounded_memory_and_does_not_reset_busy_keys()
    {
        var limit = new RateLimit<int>(2, Hour);
        Assert.True(limit.TryTake(-1) && limit.TryTake(-1));
        for (int key = 0; key < 3 * RateLimit<int>.MaxKeys; key++)
        {
            Assert.True(limit.TryTake(key));
            Assert.False(key % 1_000 == 0 && limit.TryTake(-1));
        }

        Assert.InRange(limit.Keys, RateLimit<int>.MaxKeys / 2, RateLimit<int>.MaxKeys);
    }

    [Fact]
    public void Allowances_are_kept_by_all_who_ask_at_once()
    {
        const int Keys = 20_000;
        var limit = new RateLimit<int>(3, Hour);
        int allowed = Enumerable.Range(0, 10 * Keys).AsParallel().WithDegreeOfParallelism(8).Count(i => limit.TryTake(i % Keys));
        Assert.Equal(3 * Keys, allowed);
        Assert.Equal(Keys, limit.Keys);
    }

    [Fact]
    public void Time_gives_the_allowance_back()
    {
        var limit = new RateLimit<int>(1, TimeSpan.FromMilliseconds(1));
        for (int i = 0; i < 3; i++)
        {
            Assert.True(SpinWait.SpinUntil(() => limit.TryTake(1), TimeSpan.FromMinutes(1)));
        }
    }

    [Fact]
    public void What_is_left_is_told_without_being_counted()
    {
        var limit = new RateLimit<int>(2, Hour);
        Assert.Equal([2, 2], [limit.Left(1), limit.Left(1)]);
        Assert.True(limit.TryTake(1));
        Assert.Equal(1, limit.Left(1));
        Assert.True(limit.TryTake(1));
        Assert.Equal(0, limit.Left(1));
    }

    [Fact]
    public void An_allowance_of_0_is_no_limit()
    {
        var off = new RateLimit<int>(0, Hour);
        Assert.False(off.IsOn);
        Assert.All(Enumerable.Range(0, 1_000), _ => Assert.True(off.TryTake(1)));
        Assert.Equal(0, off.Keys);
    }

    [Theory]
    [InlineData("198.51.100.1", "198.51.100.1", true)]
    [InlineData("198.51.100.1", "::ffff:198.51.100.1", true)]
    [InlineData("198.51.100.1", "198.51.100.2", false)]
    [InlineData("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true)]
    [InlineData("2001:db8:0:1::1", "2001:db8:0:2::1", false)]
    [InlineData("0.0.0.1", "0:1::", false)]
    [InlineData("0.0.0.1", "0:0:0:1::", false)]
    public void A_client_is_an_IPv4_address_or_a_64_of_IPv6(string one, string other, bool same) =>
        Assert.Equal(same, new ClientNetwork(IPAddress.Parse(one)) == new ClientNetwork(IPAddress.Parse(other)));
}
