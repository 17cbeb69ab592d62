using System.Buffers;
using System.Globalization;
using System.Text;
using Couic.Http.Json;

namespace Couic.Http.Metrics;

/// <summary>Writes the OpenMetrics text form: HELP, TYPE, then samples; the end is <see cref="End"/>.</summary>
internal sealed class MetricsText(IBufferWriter<byte> writer)
{
    /// <summary>
    /// Starts a family. The name of a counter ends in <c>_total</c> here as in its samples: the families of 1.x have it so, and
    /// readers of the older text form (promtool) find the help of a sample by its full name.
    /// </summary>
    public void Family(string name, string type, string help)
    {
        if (type == "counter" && !name.EndsWith("_total", StringComparison.Ordinal))
        {
            name += "_total";
        }

        Text($"# HELP {name} {help}\n");
        Text($"# TYPE {name} {type}\n");
    }

    public void Sample(string name, ulong value)
    {
        Text(name);
        Value(value);
    }

    public void Sample(string name, double value)
    {
        Text(name);
        Text(string.Create(CultureInfo.InvariantCulture, $" {value}\n"));
    }

    public void Sample(string name, string label, string labelValue, ulong value)
    {
        Text(name);
        writer.Raw("{"u8);
        Label(label, labelValue);
        writer.Raw("}"u8);
        Value(value);
    }

    public void Sample(string name, ReadOnlySpan<(string Name, string Value)> labels, double value)
    {
        Text(name);
        for (int i = 0; i < labels.Length; i++)
        {
            writer.Raw(i == 0 ? "{"u8 : ","u8);
            Label(labels[i].Name, labels[i].Value);
        }

        Text(string.Create(CultureInfo.InvariantCulture, $"}} {value}\n"));
    }

    public void End() => writer.Raw("# EOF\n"u8);

    private void Label(string name, string value)
    {
        Text(name);
        writer.Raw("=\""u8);
        Text(value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal));
        writer.Raw("\""u8);
    }

    private void Value(ulong value)
    {
        writer.Raw(" "u8);
        writer.Number(value);
        writer.Raw("\n"u8);
    }

    private void Text(string text)
    {
        int max = Encoding.UTF8.GetMaxByteCount(text.Length);
        writer.Advance(Encoding.UTF8.GetBytes(text, writer.GetSpan(max)));
    }
}
