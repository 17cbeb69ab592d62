using System.Buffers;
using System.Text.Json;

namespace Couic.Reporting.Receiver;

/// <summary>A chat or service that receives summaries.</summary>
internal interface INotifier
{
    /// <summary>Its name in the log.</summary>
    string Name { get; }

    /// <summary>The URL of the post; secret, except <see cref="WebhookName"/>.</summary>
    Uri Target { get; }

    /// <summary>Writes the body of the post, as JSON.</summary>
    void Write(Summary summary, IBufferWriter<byte> body);
}

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

        // Names and tags come from outside: they must not mention @everyone.
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

    /// <summary>Slack's three control characters, which would create links and mentions.</summary>
    private static string Escape(string text) => text
        .Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal);
}

/// <summary>The summary as plain JSON, for other services.</summary>
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
