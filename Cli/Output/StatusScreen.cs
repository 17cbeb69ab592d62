using System.Globalization;
using Couic.Api.Contracts;
using Couic.Cli.Values;
using Couic.CommandLine;

namespace Couic.Cli.Output;

/// <summary>The screen of <c>status</c>; fields that a daemon does not send are omitted.</summary>
internal static class StatusScreen
{
    private const int LabelWidth = 14;

    public static void Write(Invocation invocation, StatusRecord status, ulong now)
    {
        Line(invocation, "Version", Printable.Escape(status.Version));
        Line(invocation, "Uptime", ExpirationCell.Left(status.UptimeSecs));
        Line(invocation, "Match", status.Match is null ? null : Printable.Escape(string.Join(", ", status.Match)));
        Lines(invocation, "Interfaces", status.Interfaces, i => Printable.Escape(Interface(i)), i => i.State == "attached" ? Colour.Green : Colour.Red);
        Line(invocation, "Attacher", status.Attacher == "lost" ? "LOST: interfaces that change are not attached again (restart couic)" : null, Colour.Red);
        Lines(invocation, "Tables", status.Tables, t => Printable.Escape($"{t.Policy} {t.Family}: ") + Use(t.Entries, t.Limit), t => Full(t.Entries, t.Limit));
        Lines(invocation, "Tags", status.Tags, t => Printable.Escape($"{t.Policy}: ") + Use(t.Used, t.Limit), t => Full(t.Used, t.Limit));
        Line(invocation, "Memory", Memory(status));
        Line(invocation, "Kernel", status.Consistency is { } c ? Consistency(c, now) : null, status.Consistency is { Ok: false } ? Colour.Red : Colour.None);
        Line(invocation, "Certificate", status.Certificate is { } shown ? Certificate(shown, now) : null);
        Line(invocation, "Peers", status.Peers is { } p
            ? $"{p.Configured} configured, {p.Up} up, {p.InSync} with the same rules, {Quantity.Grouped(p.Queued)} changes queued"
            : "off");
        Line(invocation, "Restart", status.Restart is { } restart ? Restart(restart) : null);
        Line(invocation, "Journal", status.Journal is { } j ? Printable.Escape(Journal(j)) : null, status.Journal?.Fault is null ? Colour.None : Colour.Red);
        Lines(invocation, "LOCKED OUT", status.Guard?.Lockout, l => Printable.Escape($"{l.Address} ({l.Role}): {l.Cidr} in drop covers it"), static _ => Colour.Red);
        Lines(invocation, "Withheld", status.Guard?.Withheld, Printable.Escape, static _ => Colour.Yellow);
        Lines(invocation, "Unreadable", status.Guard?.Unreadable, u => Printable.Escape($"{u.Source}: {u.Cause}"), static _ => Colour.Yellow);
        Line(invocation, "Last reload", status.LastReload is { } r
            ? Ago.Text(r.At, now) + (r.Ok ? ", good" : $", failed: {Printable.Escape(r.Message ?? "")}")
            : "none since the start", status.LastReload is { Ok: false } ? Colour.Red : Colour.None);
        Lines(invocation, "Health", Health(status), Printable.Escape, _ => status.Health == "ok" ? Colour.Green : Colour.Red);
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

    private static string Restart(RestartStatus restart)
    {
        string filter = restart.Filter switch
        {
            "stored" => "interfaces stay filtered (the service manager keeps the filter)",
            "pinned" => "interfaces stay filtered (the filter is pinned)",
            _ => "interfaces are not filtered until it is complete",
        };
        string handover = restart.HandoverSecs is { } seconds ? string.Create(CultureInfo.InvariantCulture, $"; the last one took over within {seconds:0.00} s") : string.Empty;
        return $"{filter}; rules of the API are {(restart.Rules == "kept" ? "kept" : "forgotten")}{handover}";
    }

    private static string Journal(JournalStatus journal) => journal.Fault is { } fault
        ? $"NOT WRITTEN: {fault}"
        : string.Create(CultureInfo.InvariantCulture, $"{Quantity.Grouped(journal.Records)} records, {Quantity.Bytes(journal.Bytes)}, {Quantity.Grouped(journal.Restored)} rules restored at the start");

    private static string Use(ulong used, ulong limit) => string.Create(
        CultureInfo.InvariantCulture,
        $"{Quantity.Grouped(used)} of {Quantity.Grouped(limit)} ({(limit == 0 ? 0 : used * 100.0 / limit):0.#} %){(used >= limit ? " FULL" : "")}");

    private static Colour Full(ulong used, ulong limit) => used >= limit ? Colour.Red : used >= limit * 0.9 ? Colour.Yellow : Colour.None;

    private static void Lines<T>(Invocation invocation, string label, T[]? items, Func<T, string> text, Func<T, Colour> colour)
    {
        bool isFirst = true;
        foreach (T item in items ?? [])
        {
            Line(invocation, label, text(item), colour(item), hasLabel: isFirst);
            isFirst = false;
        }
    }

    /// <summary>A line that says something is wrong is red; a healthy state is green. A narrow terminal wraps it below its label.</summary>
    private static void Line(Invocation invocation, string label, string? text, Colour colour = Colour.None, bool hasLabel = true)
    {
        if (text is null)
        {
            return;
        }

        if (invocation.Style.Format == OutputFormat.Tsv)
        {
            invocation.Out.WriteLine($"{label.ToLowerInvariant().Replace(' ', '_')}\t{text}");
            return;
        }

        string shown = hasLabel ? label + ":" : "";
        foreach (string line in Wrapping.Lines(text, (invocation.Style.Width ?? int.MaxValue) - LabelWidth))
        {
            invocation.Out.WriteLine(shown.PadRight(LabelWidth) + invocation.Style.On(colour, line));
            shown = "";
        }
    }
}

/// <summary>Breaks text between words.</summary>
internal static class Wrapping
{
    /// <param name="width">Columns; a longer word stays whole.</param>
    public static IEnumerable<string> Lines(string text, int width)
    {
        while (text.Length > width)
        {
            int end = width > 0 ? text.LastIndexOf(' ', width) : -1;
            end = end > 0 ? end : text.IndexOf(' ', StringComparison.Ordinal);
            if (end <= 0)
            {
                break;
            }

            yield return text[..end];
            text = text[(end + 1)..];
        }

        yield return text;
    }
}
