using System.Globalization;
using ScottPlot;
using ScottPlot.TickGenerators;

namespace RegistryFunctions.Benchmarks.Reach;

/// <summary>The throughputs as a picture: a bar each, those of the limits grey.</summary>
internal static class Chart
{
    private const int Width = 1_100;
    private const int HeightOfBar = 48;
    private const int HeightOfRest = 110;
    private const double GapBetweenFunctions = 0.6;

    private static readonly Color LimitColor = Color.FromHex("#B4BAC2");
    private static readonly Color RegistryColor = Color.FromHex("#2F6DB5");

    /// <summary>Writes a PNG.</summary>
    public static void Save(IEnumerable<ChartBar> bars, string path)
    {
        using var plot = new Plot();
        var names = new NumericManual();
        double place = 0;
        foreach (IGrouping<string, ChartBar> function in bars.GroupBy(bar => bar.Function))
        {
            foreach (ChartBar bar in function)
            {
                plot.Add.Bar(ToBar(bar, place));
                names.AddMajor(place--, $"{function.Key}, {bar.Server}");
            }

            place -= GapBetweenFunctions;
        }

        plot.Axes.Left.TickGenerator = names;
        plot.Axes.Left.MajorTickStyle.Length = 0;
        plot.Axes.Left.TickLabelStyle.FontSize = 16;
        plot.Axes.Bottom.TickGenerator = new NumericAutomatic { LabelFormatter = Thousands };
        plot.Axes.Margins(left: 0, right: 0.12, bottom: 0.05, top: 0.05);
        plot.HideGrid();
        plot.Title("Answers a second, 64 connections");
        plot.SavePng(path, Width, HeightOfRest + (int)(-place * HeightOfBar));
    }

    private static Bar ToBar(ChartBar bar, double place) => new()
    {
        Position = place,
        Value = bar.PerSecond,
        ValueLabel = Thousands(bar.PerSecond),
        Orientation = Orientation.Horizontal,
        FillColor = bar.IsLimit ? LimitColor : RegistryColor,
        LineWidth = 0,
    };

    private static string Thousands(double value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
