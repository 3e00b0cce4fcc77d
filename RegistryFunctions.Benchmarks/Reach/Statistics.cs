namespace RegistryFunctions.Benchmarks.Reach;

internal static class Statistics
{
    /// <summary>The middle one, or the mean of the middle two.</summary>
    public static double Median(this IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
