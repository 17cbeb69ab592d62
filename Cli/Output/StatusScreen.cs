using System.Globalization;
using Couic.Api.Contracts;
using Couic.Cli.Values;

namespace Couic.Cli.Output;

/// <summary>The screen of <c>status</c>; fields that a daemon does not send are omitted.</summary>
internal static class StatusScreen
{
    private const int LabelWidth = 14;

    public static void Write(TextWriter output, StatusRecord status, ulong now)
    {
        Line(output, "Version", Printable.Escape(status.Version));
        Line(output, "Uptime", ExpirationCell.Left(status.UptimeSecs));
        Line(output, "Match", status.Match is null ? null : Printable.Escape(string.Join(", ", status.Match)));
        Lines(output, "Interfaces", status.Interfaces, i => Printable.Escape(Interface(i)));
        Line(output, "Attacher", status.Attacher == "lost" ? "LOST: interfaces that change are not attached again (restart couic)" : null);
        Lines(output, "Tables", status.Tables, t => Printable.Escape($"{t.Policy} {t.Family}: ") + Use(t.Entries, t.Limit));
        Lines(output, "Tags", status.Tags, t => Printable.Escape($"{t.Policy}: ") + Use(t.Used, t.Limit));
        Line(output, "Memory", Memory(status));
        Line(output, "Kernel", status.Consistency is { } c ? Consistency(c, now) : null);
        Line(output, "Certificate", status.Certificate is { } shown ? Certificate(shown, now) : null);
        Line(output, "Peers", status.Peers is { } p
            ? $"{p.Configured} configured, {p.Up} up, {p.InSync} with the same rules, {Quantity.Grouped(p.Queued)} changes queued"
            : "off");
        Lines(output, "LOCKED OUT", status.Guard?.Lockout, l => Printable.Escape($"{l.Address} ({l.Role}): {l.Cidr} in drop covers it"));
        Lines(output, "Withheld", status.Guard?.Withheld, Printable.Escape);
        Lines(output, "Unreadable", status.Guard?.Unreadable, u => Printable.Escape($"{u.Source}: {u.Cause}"));
        Line(output, "Last reload", status.LastReload is { } r
            ? Ago.Text(r.At, now) + (r.Ok ? ", good" : $", failed: {Printable.Escape(r.Message ?? "")}")
            : "none since the start");
        Lines(output, "Health", Health(status), Printable.Escape);
    }

    /// <summary>Both names where they differ, and the mode if attached or the cause if not.</summary>
    private static string Interface(InterfaceStatus shown)
    {
        string name = shown.Configured is { } configured && configured != shown.Name ? $"{configured} ({shown.Name})" : shown.Name;
        string state = shown.State == "attached" ? shown.State : shown.State.ToUpperInvariant();
        string detail = shown.State == "attached" ? shown.Mode ?? "" : shown.Error ?? "";
        return detail.Length == 0 ? $"{name}: {state}" : $"{name}: {state}, {detail}";
    }

    private static string[] Health(StatusRecord status) => status.Health is null ? []
        : status.Faults is { Length: > 0 } faults ? [.. faults.Select(fault => fault.Message)] : [status.Health];

    private static string? Memory(StatusRecord status)
    {
        string?[] parts =
        [
            status.ResidentMemoryBytes is { } resident ? $"{Quantity.Bytes(resident)} resident" : null,
            status.KernelMemoryBytes is { } kernel ? $"{Quantity.Bytes(kernel)} in kernel maps" : null,
        ];
        return parts.All(p => p is null) ? null : string.Join(", ", parts.OfType<string>());
    }

    private static string Consistency(ConsistencyStatus consistency, ulong now)
    {
        string state = consistency.Ok ? "agrees with the daemon" : "DIFFERS from the daemon";
        string check = consistency.LastCheck is { } at ? $", compared {Ago.Text(at, now)}" : ", not compared yet";
        return $"{state}{check}, {consistency.Drift} differences repaired since the start";
    }

    private static string Certificate(CertificateStatus certificate, ulong now)
    {
        string names = Printable.Escape(string.Join(", ", certificate.Names));
        string end = DateTimeOffset.FromUnixTimeSeconds((long)Math.Min(certificate.NotAfter, 253_402_300_799)).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
        return certificate.NotAfter <= now ? $"{names}: ENDED on {end}" : $"{names}: until {end}, in {(certificate.NotAfter - now) / 86_400} days";
    }

    private static string Use(ulong used, ulong limit) => string.Create(
        CultureInfo.InvariantCulture,
        $"{Quantity.Grouped(used)} of {Quantity.Grouped(limit)} ({(limit == 0 ? 0 : used * 100.0 / limit):0.#} %){(used >= limit ? " FULL" : "")}");

    private static void Lines<T>(TextWriter output, string label, T[]? items, Func<T, string> text)
    {
        foreach (T item in items ?? [])
        {
            Line(output, label, text(item));
            label = "";
        }
    }

    private static void Line(TextWriter output, string label, string? text)
    {
        if (text is not null)
        {
            output.WriteLine($"{(label.Length == 0 ? "" : label + ":").PadRight(LabelWidth)}{text}");
        }
    }
}
