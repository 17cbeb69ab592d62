using System.Buffers;
using System.Globalization;
using System.Text;
using Couic.Http;

namespace Couic.Api.Metrics;

/// <summary>Writes the text form of metrics: HELP, TYPE, then samples; the end is <see cref="End"/>.</summary>
internal sealed class MetricsText(IBufferWriter<byte> writer, MetricsForm form)
{
    private const string CounterSuffix = "_total";

    /// <summary>
    /// Starts a family; the name of a counter may be given with or without <c>_total</c>. OpenMetrics has the suffix in samples
    /// only, and the older form in both, as couic 1.x had it.
    /// </summary>
    public void Family(string name, string type, string help)
    {
        if (type == "counter")
        {
            bool hasSuffix = name.EndsWith(CounterSuffix, StringComparison.Ordinal);
            name = form == MetricsForm.OpenMetrics
                ? hasSuffix ? name[..^CounterSuffix.Length] : name
                : hasSuffix ? name : name + CounterSuffix;
        }

        Text($"# HELP {name} ");
        Text(Escape(help, quotes: form == MetricsForm.OpenMetrics));
        Text($"\n# TYPE {name} {type}\n");
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
        Text(Escape(value, quotes: true));
        writer.Raw("\""u8);
    }

    private static string Escape(string text, bool quotes)
    {
        text = text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        return quotes ? text.Replace("\"", "\\\"", StringComparison.Ordinal) : text;
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

/// <summary>The text forms of metrics that a client may ask for with <c>Accept</c>.</summary>
internal enum MetricsForm : byte
{
    /// <summary><c>application/openmetrics-text; version=1.0.0</c></summary>
    OpenMetrics,

    /// <summary><c>text/plain; version=0.0.4</c></summary>
    Plain,
}
