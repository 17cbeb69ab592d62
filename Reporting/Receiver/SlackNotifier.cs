using System.Buffers;
using System.Text.Json;

namespace Couic.Reporting.Receiver;

/// <summary>A message with one attachment (api.slack.com: Incoming webhooks).</summary>
internal sealed class SlackNotifier(Uri webhook) : INotifier
{
    public string Name => "slack";

    public Uri Target { get; } = webhook;

    public void Write(Summary summary, IBufferWriter<byte> body)
    {
        using var json = new Utf8JsonWriter(body);
        json.WriteStartObject();
        json.WriteString("text", Escape(summary.Title));
        json.WriteStartArray("attachments");
        json.WriteStartObject();
        json.WriteString("color", summary.Colour switch { Colour.Red => "#e01e1e", Colour.Orange => "#f08c00", _ => "#2ea043" });
        json.WriteStartArray("fields");
        foreach ((string label, string value) in summary.Figures)
        {
            json.WriteStartObject();
            json.WriteString("title", label);
            json.WriteString("value", Escape(value));
            json.WriteBoolean("short", true);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("ts", summary.To.ToUnixTimeSeconds());
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Slack's own three control characters, which would make links and mentions.</summary>
    private static string Escape(string text) => text
        .Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal);
}
