namespace Couic.Cli.Output;

/// <summary>A graph one line high.</summary>
internal static class Sparkline
{
    private const string Bars = "▁▂▃▄▅▆▇█";

    /// <summary>The last values, newest on the right, scaled to the highest of them; zero is a blank.</summary>
    public static string Draw(IReadOnlyList<double> values, int width)
    {
        int count = Math.Clamp(values.Count, 0, Math.Max(width, 0));
        double highest = 0;
        for (int i = values.Count - count; i < values.Count; i++)
        {
            highest = Math.Max(highest, values[i]);
        }

        return string.Create(count, (values, highest), static (text, state) =>
        {
            for (int i = 0; i < text.Length; i++)
            {
                double value = state.values[state.values.Count - text.Length + i];
                text[i] = value <= 0 ? ' ' : Bars[Math.Min((int)(value / state.highest * Bars.Length), Bars.Length - 1)];
            }
        });
    }
}
