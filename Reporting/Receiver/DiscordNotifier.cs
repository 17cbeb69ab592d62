using System.Buffers;
using System.Text.Json;

namespace Couic.Reporting.Receiver;

/// <summary>A message with one embed (discord.com/developers: Execute Webhook).</summary>
internal sealed class DiscordNotifier(Uri webhook) : INotifier
{
    public string Name => "discord";

    public Uri Target { get; } = webhook;

    public void Write(Summary summary, IBufferWriter<byte> body)
    {
        using var json = new Utf8JsonWriter(body);
        json.WriteStartObject();
        json.WriteString("username", "couic");

        // Names and tags come from outside: they must not be able to call @everyone.
        json.WriteStartObject("allowed_mentions");
        json.WriteStartArray("parse");
        json.WriteEndArray();
        json.WriteEndObject();

        json.WriteStartArray("embeds");
        json.WriteStartObject();
        json.WriteString("title", summary.Title);
        json.WriteNumber("color", summary.Colour switch { Colour.Red => 0xe0_1e_1e, Colour.Orange => 0xf0_8c_00, _ => 0x2e_a0_43 });
        json.WriteStartArray("fields");
        foreach ((string label, string value) in summary.Figures)
        {
            json.WriteStartObject();
            json.WriteString("name", label);
            json.WriteString("value", value);
            json.WriteBoolean("inline", true);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteString("timestamp", summary.To.UtcDateTime);
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
