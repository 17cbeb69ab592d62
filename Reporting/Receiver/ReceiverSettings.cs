using System.Net;
using System.Text;
using Couic.Api.Access;
using Couic.Config;

namespace Couic.Reporting.Receiver;

/// <summary>The checked content of couic-report.toml; <see cref="ReceiverSettingsReader"/> creates it.</summary>
internal sealed record ReceiverSettings
{
    /// <summary>The time that one summary covers.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(900);

    /// <summary>The node's name in summaries.</summary>
    public required string Name { get; init; }

    /// <summary>A loopback address.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    public int Port { get; init; } = 8000;

    /// <summary>The last segment of the path for posts.</summary>
    public required Token Secret { get; init; }

    public Thresholds Thresholds { get; init; } = new();

    public Uri? Discord { get; init; }

    public Uri? Slack { get; init; }

    public Uri? Webhook { get; init; }
}

/// <summary>How alarming an interval was.</summary>
internal enum Colour
{
    Green,
    Orange,
    Red,
}

/// <param name="Orange">The fewest reports of an orange interval.</param>
/// <param name="Red">The fewest reports of a red interval; more than <paramref name="Orange"/>.</param>
/// <param name="Min">The mildest colour that is sent; green includes intervals without reports.</param>
internal sealed record Thresholds(int Orange = 10, int Red = 100, Colour Min = Colour.Green)
{
    public Colour Of(long reports) => reports >= Red ? Colour.Red : reports >= Orange ? Colour.Orange : Colour.Green;
}

/// <summary>Turns couic-report.toml into <see cref="ReceiverSettings"/>: every key, its type and range; all faults at once.</summary>
internal static class ReceiverSettingsReader
{
    /// <returns>Null when there is any fault; all are added to <paramref name="faults"/> in the order of the file.</returns>
    public static ReceiverSettings? Read(string file, ReadOnlySpan<byte> utf8, List<Fault> faults)
    {
        List<Fault> own = [];
        TomlTable table = TomlDocument.Read(file, utf8, own);
        var top = new KeyReader(file, table, own, isComplete: own.Count == 0);
        KeyReader server = top.Table("server");
        var settings = new ReceiverSettings
        {
            Interval = TimeSpan.FromSeconds(top.Number("batch_interval_secs", 900, 1, 86_400)),
            Name = server.Text("name") ?? Environment.MachineName,
            Address = server.Word(
                "addr", IPAddress.Loopback, ("127.0.0.1", IPAddress.Loopback), ("::1", IPAddress.IPv6Loopback), ("localhost", IPAddress.Loopback)),
            Port = server.Number("port", 8000, 1, 65_535),
            Secret = ReadSecret(server),
            Thresholds = ReadThresholds(top.Table("thresholds")),
            Discord = ReadUrl(top.Table("discord"), "webhook_url"),
            Slack = ReadUrl(top.Table("slack"), "webhook_url"),
            Webhook = ReadUrl(top.Table("webhook"), "url"),
        };
        server.Finish();
        top.Finish("server.addr", "server.port", "server.secret", "server.name", "thresholds.orange", "thresholds.red", "thresholds.threshold_min");
        faults.AddRange(own.OrderBy(fault => fault.Line).ThenBy(fault => fault.Column));
        return own.Count == 0 ? settings : null;
    }

    private static Token ReadSecret(KeyReader server)
    {
        if (server.RequiredText("secret") is not { } text)
        {
            return default;
        }

        // The value itself is not shown: it may be a good secret with one letter too many.
        if (!Token.TryParse(Encoding.UTF8.GetBytes(text), out Token secret))
        {
            server.Fail("secret", "server.secret is not a UUID (make one: cat /proc/sys/kernel/random/uuid)");
        }
        else if (secret == default)
        {
            server.Fail("secret", "server.secret must not be all zeros (make one: cat /proc/sys/kernel/random/uuid)");
        }

        return secret;
    }

    private static Thresholds ReadThresholds(KeyReader table)
    {
        var defaults = new Thresholds();
        int orange = table.Number("orange", defaults.Orange, 1, int.MaxValue - 1);
        int red = table.Number("red", Math.Max(defaults.Red, orange + 1), 1, int.MaxValue);
        if (red <= orange)
        {
            table.Fail("red", $"thresholds.red = {red} must be larger than thresholds.orange = {orange}");
        }

        Colour min = table.Word(
            "threshold_min", defaults.Min, ("green", Colour.Green), ("orange", Colour.Orange), ("red", Colour.Red));
        table.Finish();
        return new Thresholds(orange, red, min);
    }

    /// <summary>Null when the table is absent. The URL is a secret and is not shown.</summary>
    private static Uri? ReadUrl(KeyReader table, string key)
    {
        Uri? url = null;
        if (table.IsPresent && table.RequiredText(key) is { } text
            && !WebAddress.TryParse(text, out url))
        {
            table.Fail(key, $"{key} is not a URL that starts with https:// or http://");
            url = null;
        }

        table.Finish();
        return url;
    }
}
