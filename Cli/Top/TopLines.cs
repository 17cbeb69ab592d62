using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Couic.Api.Contracts;
using Couic.Cli.Output;
using Couic.Cli.Screen;
using Couic.Cli.Values;
using Couic.Store;

namespace Couic.Cli.Top;

/// <summary>Samples as lines: for pipes, files and logs.</summary>
internal static class TopLines
{
    /// <summary>Tags and entries in each JSON line.</summary>
    private const int Listed = 10;

    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public const string Header = "time       dropped/s     bytes/s  passed/s     bytes/s    drop  ignore  busiest tag";

    /// <summary>One line of at most 80 columns besides a longer tag.</summary>
    public static string Text(TopModel model)
    {
        TopSample sample = model.Latest!;
        TopTag? busiest = Busiest(model).FirstOrDefault(tag => tag.Rates is { Packets: > 0 });
        string line = string.Join(
            ' ', Time(sample.Time), Cell(model.Dropped?.Packets, 11), Size(model.Dropped?.Bytes), Cell(model.Passed?.Packets, 9), Size(model.Passed?.Bytes),
            Quantity.Count(sample.Metrics.DropCidrCount).PadLeft(7), Quantity.Count(sample.Metrics.IgnoreCidrCount).PadLeft(7));
        return busiest is null ? line : $"{line}  {Printable.Escape(busiest.Tag)}";
    }

    public const string TsvHeader = "time\tdropped_packets_per_second\tdropped_bytes_per_second\tpassed_packets_per_second\tpassed_bytes_per_second\tdrop_entries\tignore_entries";

    /// <summary>Exact values with tabs between them; empty without a rate.</summary>
    public static string Tsv(TopModel model) => string.Join(
        '\t', Instant(model.Latest!.Time), Exact(model.Dropped?.Packets), Exact(model.Dropped?.Bytes), Exact(model.Passed?.Packets), Exact(model.Passed?.Bytes),
        model.Latest.Metrics.DropCidrCount, model.Latest.Metrics.IgnoreCidrCount);

    /// <summary>While the daemon is away.</summary>
    public static string Tsv(DateTimeOffset now) => Instant(now) + new string('\t', TsvHeader.Count(c => c == '\t'));

    /// <summary>The line while the daemon is away.</summary>
    public static string Text(string fault, DateTimeOffset now) => $"{Time(now)} {Printable.Escape(fault)}";

    /// <summary>One object in one line.</summary>
    public static byte[] Json(TopModel model)
    {
        TopSample sample = model.Latest!;
        return Write(json =>
        {
            json.WriteNumber("time", sample.Time.ToUnixTimeMilliseconds() / 1000.0);
            Number(json, "interval", model.Seconds);
            WriteVerdict(json, "dropped", model.Dropped, sample.Metrics.Xdp.GetValueOrDefault(TopModel.Drop));
            WriteVerdict(json, "passed", model.Passed, sample.Metrics.Xdp.GetValueOrDefault(TopModel.Pass));
            json.WriteNumber("drop_entries", sample.Metrics.DropCidrCount);
            json.WriteNumber("ignore_entries", sample.Metrics.IgnoreCidrCount);
            json.WriteStartArray("tags");
            foreach (TopTag tag in Busiest(model).Take(Listed))
            {
                json.WriteStartObject();
                json.WriteString("policy", tag.Policy.Name());
                json.WriteString("tag", tag.Tag);
                WriteRates(json, tag.Rates, tag.Counter);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("entries");
            foreach (TopEntry one in (sample.Entries ?? []).Take(Listed))
            {
                json.WriteStartObject();
                json.WriteString("policy", one.Policy.Name());
                json.WriteString("cidr", one.Entry.Cidr);
                json.WriteString("tag", one.Entry.Tag);
                Number(json, "packets_per_second", one.Entry.Rate);
                Number(json, "packets", one.Entry.Packets);
                Number(json, "last_hit", one.Entry.LastHit);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
    }

    /// <summary>The object while the daemon is away.</summary>
    public static byte[] Json(string fault, DateTimeOffset now) => Write(json =>
    {
        json.WriteNumber("time", now.ToUnixTimeMilliseconds() / 1000.0);
        json.WriteString("error", fault);
    });

    private static IEnumerable<TopTag> Busiest(TopModel model) => model.Tags
        .OrderByDescending(tag => tag.Rates?.Packets ?? 0).ThenByDescending(tag => tag.Counter.RxPackets).ThenBy(tag => tag.Tag, StringComparer.Ordinal);

    private static byte[] Write(Action<Utf8JsonWriter> members)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text, Options))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        text.WriteByte((byte)'\n');
        return text.ToArray();
    }

    private static void WriteVerdict(Utf8JsonWriter json, string name, Rates? rates, CounterRecord? counter)
    {
        json.WriteStartObject(name);
        WriteRates(json, rates, counter ?? new CounterRecord(0, 0));
        json.WriteEndObject();
    }

    private static void WriteRates(Utf8JsonWriter json, Rates? rates, CounterRecord counter)
    {
        Number(json, "packets_per_second", rates?.Packets);
        Number(json, "bytes_per_second", rates?.Bytes);
        json.WriteNumber("packets", counter.RxPackets);
        json.WriteNumber("bytes", counter.RxBytes);
    }

    private static void Number(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } known)
        {
            json.WriteNumber(name, Math.Round(known, 1));
        }
        else
        {
            json.WriteNull(name);
        }
    }

    private static string Instant(DateTimeOffset time) => time.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string Exact(double? rate) => rate?.ToString("0.#", CultureInfo.InvariantCulture) ?? "";

    private static string Time(DateTimeOffset time) => time.ToString("HH:mm:ss", CultureInfo.InvariantCulture);

    private static string Cell(double? rate, int width) => (rate is { } known ? Quantity.Count(known) : "-").PadLeft(width);

    private static string Size(double? rate) => (rate is { } known ? Quantity.Bytes((ulong)known) : "-").PadLeft(11);
}
