using System.Buffers;
using System.Text.Json;

namespace Couic.Reporting.Receiver;

/// <summary>The summary as plain JSON, for anything else.</summary>
internal sealed class WebhookNotifier(Uri url) : INotifier
{
    public string Name => "webhook";

    public Uri Target { get; } = url;

    public void Write(Summary summary, IBufferWriter<byte> body)
    {
        using var json = new Utf8JsonWriter(body);
        json.WriteStartObject();
        json.WriteString("server", summary.Server);
        json.WriteNumber("from", summary.From.ToUnixTimeSeconds());
        json.WriteNumber("to", summary.To.ToUnixTimeSeconds());
        json.WriteString("level", summary.Colour switch { Colour.Red => "red", Colour.Orange => "orange", _ => "green" });
        json.WriteNumber("reports", summary.Reports);
        json.WriteNumber("cidrs", summary.Cidrs);
        json.WriteNumber("additions", summary.Additions);
        json.WriteNumber("removals", summary.Removals);
        json.WriteString("top_tag", summary.TopTag);
        json.WriteNumber("top_tag_count", summary.TopTagCount);
        json.WriteEndObject();
    }
}
