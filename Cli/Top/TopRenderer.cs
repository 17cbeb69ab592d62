using System.Globalization;
using Couic.Api.Contracts;
using Couic.Cli.Output;
using Couic.Cli.Screen;
using Couic.Store;

namespace Couic.Cli.Top;

/// <summary>Draws one frame for a state and a size; knows no terminal.</summary>
/// <param name="unicode">Whether the terminal shows more than ASCII.</param>
internal sealed class TopRenderer(TopModel model, TopView view, bool unicode)
{
    /// <summary>Columns that the labels of a graph take, with the axis.</summary>
    private const int AxisWidth = 7;

    /// <summary>From this width on, two graphs are side by side.</summary>
    private const int WideEnough = 64;

    /// <summary>Percent of a table from which on it stands out.</summary>
    private const double NearlyFull = 90;

    private static readonly string[] Help =
    [
        "q, Esc, Ctrl-C  quit",
        "s               next order of entries",
        "/               filter by tag or network",
        "p, space        pause, continue",
        "Tab, 1 to 5     overview, entries, tags,",
        "                interfaces, peers",
        "arrows, PgUp/Dn scroll",
        "?               this help",
        "",
        "PKT/S is over the last interval. The",
        "time of a hit is exact to 2 seconds.",
    ];

    private int _width;

    /// <summary>Which lines of the list are shown.</summary>
    private string _position = "";

    /// <summary>The lines of a frame: exactly as many as the height, none wider than the width.</summary>
    public List<ScreenLine> Draw(int width, int height, DateTimeOffset now)
    {
        (_width, _position) = (width, "");
        var frame = new List<ScreenLine> { Title(now) };
        if (view.ShowsHelp)
        {
            frame.AddRange(Help.Select(text => Line().Add(text)));
        }
        else if (model.Latest is { } latest)
        {
            DrawRates(frame);
            DrawGraphs(frame, GraphHeight(height));
            if (height >= 16)
            {
                DrawState(frame, latest);
            }

            DrawPage(frame, latest, height - frame.Count - 1, now);
        }

        return Fit(frame, height, Footer(now));
    }

    private static int GraphHeight(int height) => height < 9 ? 0 : Math.Clamp((height - 8) / 4, 2, 10);

    private ScreenLine Line() => new(_width, unicode);

    private List<ScreenLine> Fit(List<ScreenLine> frame, int height, ScreenLine footer)
    {
        while (frame.Count < height - 1)
        {
            frame.Add(Line());
        }

        frame.RemoveRange(Math.Max(0, height - 1), frame.Count - Math.Max(0, height - 1));
        if (height > 0)
        {
            frame.Add(footer);
        }

        return frame;
    }

    private ScreenLine Title(DateTimeOffset now)
    {
        string clock = now.ToString("HH:mm:ss", CultureInfo.InvariantCulture);
        string state = view.IsPaused ? "PAUSED " : model.Fault is not null ? "NO ANSWER " : "";
        ScreenLine line = Line().Add(" couic", TextStyle.Bar);
        if (model.Latest?.Status is { } status)
        {
            line.Add($" {status.Version}  up {Span(status.UptimeSecs)}", TextStyle.Bar);
            line.Add(status.Health is null or "ok" || line.Left < 30 ? "" : "  DEGRADED (couicctl status)", TextStyle.Bar);
        }

        string right = $" {state}{clock} ";
        return line.To(_width - right.Length, TextStyle.Bar).Add(right, TextStyle.Bar);
    }

    private ScreenLine Footer(DateTimeOffset now)
    {
        if (view.IsTyping)
        {
            return Line().Add("filter: ", TextStyle.Bold).Add(view.Filter).Add("_", TextStyle.Bold);
        }

        if (view.ShowsHelp)
        {
            return Line().Add("any key: back", TextStyle.Dim);
        }

        if (model.Fault is { } fault)
        {
            return Line().AddCells($"no answer for {Span((ulong)Math.Max(0, (now - model.FaultSince).TotalSeconds))}: {fault}", _width, TextStyle.Bad);
        }

        if (model.Latest is null)
        {
            return Line().Add("waiting for the daemon");
        }

        string filter = view.Filter.Length > 0 ? $"  filter: {view.Filter} (Esc)" : "";
        string more = _width >= 52 ? "  p pause  Tab page" : "";
        ScreenLine line = Line().Add(filter.Length > 0 ? $"q quit  ? help{filter}" : $"q quit  ? help  s sort  / filter{more}", TextStyle.Dim);
        string order = view.Page is TopPage.Overview or TopPage.Entries ? $"by {view.OrderShown} " : "";
        string right = line.Left >= order.Length + _position.Length + 2 ? order + _position : _position;
        return line.Left >= right.Length + 2 ? line.To(_width - right.Length).Add(right, TextStyle.Dim) : line;
    }

    private void DrawRates(List<ScreenLine> frame)
    {
        frame.Add(Rate("dropped", TopModel.Drop, model.Dropped, TextStyle.Bold));
        frame.Add(Rate("passed", TopModel.Pass, model.Passed, TextStyle.Plain));
    }

    private ScreenLine Rate(string name, string action, Rates? rates, TextStyle style)
    {
        CounterRecord total = model.Latest!.Metrics.Xdp.GetValueOrDefault(action) ?? new CounterRecord(0, 0);
        ScreenLine line = Line().AddCells(name, 8, style)
            .AddCells($"{PerSecond(rates?.Packets)}/s", 11, style, right: true)
            .AddCells(rates is { } known ? $"{Quantity.Bytes((ulong)known.Bytes)}/s" : "-/s", 14, style, right: true);
        string packets = $"   total {Quantity.Count(total.RxPackets)} packets", bytes = $", {Quantity.Bytes(total.RxBytes)}";
        return line.Left >= packets.Length + bytes.Length ? line.Add(packets + bytes) : line.Left >= packets.Length ? line.Add(packets) : line;
    }

    private void DrawGraphs(List<ScreenLine> frame, int height)
    {
        if (height == 0)
        {
            return;
        }

        bool both = _width >= WideEnough;
        int each = both ? (_width - 1) / 2 : _width;
        string[] left = Plot("dropped/s", model.DroppedHistory, each, height);
        string[] right = both ? Plot("passed/s", model.PassedHistory, _width - 1 - each, height) : [];
        for (int i = 0; i < height; i++)
        {
            ScreenLine line = Line().Add(left[i], TextStyle.Bad);
            frame.Add(both ? line.To(each + 1).Add(right[i], TextStyle.Good) : line);
        }
    }

    /// <summary>A graph with its scale: the value of the upper edge, zero, and the name.</summary>
    private string[] Plot(string name, List<double> history, int width, int height)
    {
        int cells = Math.Max(1, width - AxisWidth);
        int values = Graph.Values(cells, unicode);
        double highest = 0;
        for (int i = Math.Max(0, history.Count - values); i < history.Count; i++)
        {
            highest = double.IsNaN(history[i]) ? highest : Math.Max(highest, history[i]);
        }

        double top = Graph.Scale(highest);
        string[] lines = Graph.Draw(history, cells, height, top, unicode);
        if (lines[0].Length > name.Length && lines[0].AsSpan(0, name.Length + 1).Trim(' ').IsEmpty)
        {
            lines[0] = name + lines[0][name.Length..]; // at the oldest values, which are blank most of the time
        }

        for (int row = 0; row < height; row++)
        {
            string label = row == 0 ? Graph.Label(top) : row == height - 1 ? "0" : "";
            lines[row] = label.PadLeft(AxisWidth - 1) + (unicode ? '┤' : '|') + lines[row];
        }

        return lines;
    }

    private void DrawState(List<ScreenLine> frame, TopSample latest)
    {
        if (latest.Status is not { } status)
        {
            return;
        }

        ScreenLine tables = Line().AddCells("tables", 11, TextStyle.Bold);
        string? policy = null;
        foreach (TableStatus table in status.Tables ?? [])
        {
            double share = table.Limit == 0 ? 0 : 100.0 * table.Entries / table.Limit;
            string family = table.Family.Replace("ipv", "v", StringComparison.Ordinal);
            string between = policy is null ? "" : "  ";
            tables.Add(
                string.Create(CultureInfo.InvariantCulture, $"{between}{(table.Policy == policy ? "" : table.Policy + " ")}{family} {Quantity.Count(table.Entries)} ({share:0}%)"),
                share >= NearlyFull ? TextStyle.Bad : TextStyle.Plain);
            policy = table.Policy;
        }

        frame.Add(tables);
        ScreenLine interfaces = Line().AddCells("interfaces", 11, TextStyle.Bold);
        string separator = "";
        foreach (InterfaceStatus one in status.Interfaces ?? [])
        {
            bool isAttached = one.State == "attached";
            interfaces.Add($"{separator}{one.Name} {(isAttached ? one.Mode : one.State.ToUpperInvariant())}", isAttached ? TextStyle.Plain : TextStyle.Bad);
            separator = "  ";
        }

        frame.Add(interfaces);
        ScreenLine peers = Line().AddCells("peers", 11, TextStyle.Bold);
        frame.Add(status.Peers is not { } sum ? peers.Add("off")
            : peers.Add(
                $"{sum.Up} of {sum.Configured} up, {sum.InSync} with the same rules, {Quantity.Grouped(sum.Queued)} queued",
                sum.Up < sum.Configured ? TextStyle.Bad : TextStyle.Plain));
    }

    private void DrawPage(List<ScreenLine> frame, TopSample latest, int rows, DateTimeOffset now)
    {
        switch (view.Page)
        {
            case TopPage.Overview when rows >= 8:
                int tags = Math.Min(rows / 3, model.Tags.Count(view.Matches) + 1);
                DrawEntries(frame, latest, rows - tags, now);
                DrawTags(frame, tags, scrolls: false);
                break;
            case TopPage.Overview or TopPage.Entries:
                DrawEntries(frame, latest, rows, now);
                break;
            case TopPage.Tags:
                DrawTags(frame, rows, scrolls: true);
                break;
            case TopPage.Interfaces:
                DrawInterfaces(frame, latest, rows);
                break;
            default:
                DrawPeers(frame, latest, rows, now);
                break;
        }
    }

    private void DrawEntries(List<ScreenLine> frame, TopSample latest, int rows, DateTimeOffset now)
    {
        if (latest.Entries is null)
        {
            DrawList(frame, rows, Line().Add("ENTRIES", TextStyle.Bold), [Line().Add("(this client may not list entries, or the daemon is older)")], scrolls: true);
            return;
        }

        TopEntry[] shown = [.. latest.Entries.Where(view.Matches)];
        ulong second = (ulong)now.ToUnixTimeSeconds();
        int cidr = Math.Clamp(shown.Select(one => one.Entry.Cidr.Length).DefaultIfEmpty(0).Max() + 1, 16, Math.Max(16, _width - 20));
        int spare = _width - 9 - cidr - 14;
        var columns = new List<(string Header, int Cells, bool Right, Func<TopEntry, string> Cell)>
        {
            ("PKT/S", 8, true, one => PerSecond(one.Entry.Rate)),
        };
        Add(9, ("PACKETS", 9, true, one => one.Entry.Packets is { } packets ? Quantity.Count(packets) : "-"));
        columns.Add((" CIDR", cidr + 1, false, one => " " + one.Entry.Cidr));
        Add(7, ("POLICY", 7, false, one => one.Policy.Name()));
        Add(10, ("LAST HIT", 10, false, one => one.Entry.LastHit is not { } hit ? "-" : hit == 0 ? "never" : Span(second - Math.Min(second, hit)) + " ago"));
        Add(9, ("EXPIRES", 9, false, one => one.Entry.Expiration == 0 ? "never" : Span(one.Entry.Expiration - Math.Min(second, one.Entry.Expiration))));
        columns.Add(("TAG", Math.Max(0, _width - columns.Sum(column => column.Cells)), false, one => one.Entry.Tag ?? ""));

        ScreenLine header = Line();
        columns.ForEach(column => header.AddCells(column.Header, column.Cells, TextStyle.Bold, column.Right));
        DrawList(frame, rows, header, [.. shown.Select(one =>
        {
            ScreenLine line = Line();
            columns.ForEach(column => line.AddCells(column.Cell(one), column.Cells, TextStyle.Plain, column.Right));
            return line;
        })], scrolls: true);

        void Add(int cells, (string Header, int Cells, bool Right, Func<TopEntry, string> Cell) column)
        {
            if (spare >= cells)
            {
                columns.Add(column);
                spare -= cells;
            }
        }
    }

    private void DrawTags(List<ScreenLine> frame, int rows, bool scrolls)
    {
        TopTag[] shown = [.. model.Tags.Where(view.Matches)
            .OrderByDescending(tag => view.Order == "rate" ? tag.Rates?.Packets ?? 0 : 0)
            .ThenByDescending(tag => tag.Counter.RxPackets)
            .ThenBy(tag => tag.Tag, StringComparer.Ordinal)];
        bool isWide = _width >= 60;
        ScreenLine header = Row("PKT/S", "PACKETS", "BYTES", "POLICY", "TAG", TextStyle.Bold);
        DrawList(frame, rows, header, [.. shown.Select(tag => Row(
            PerSecond(tag.Rates?.Packets), Quantity.Count(tag.Counter.RxPackets), Quantity.Bytes(tag.Counter.RxBytes), tag.Policy.Name(), tag.Tag, TextStyle.Plain))], scrolls);

        ScreenLine Row(string rate, string packets, string bytes, string policy, string tag, TextStyle style)
        {
            ScreenLine line = Line().AddCells(rate, 8, style, right: true).AddCells(packets, 9, style, right: true);
            _ = isWide ? line.AddCells(bytes, 11, style, right: true) : line;
            return line.AddCells(" " + policy, 8, style).AddCells(tag, line.Left, style);
        }
    }

    private void DrawInterfaces(List<ScreenLine> frame, TopSample latest, int rows)
    {
        InterfaceStatus[] all = latest.Status?.Interfaces ?? [];
        int name = Math.Clamp(all.Select(one => CellText.Width(CellText.Clean(one.Name, unicode))).DefaultIfEmpty(0).Max() + 1, 10, 24);
        DrawList(
            frame, rows, Line().AddCells("INTERFACE", name, TextStyle.Bold).AddCells("STATE", 10, TextStyle.Bold).Add("MODE OR CAUSE", TextStyle.Bold),
            [.. all.Select(one => Line().AddCells(one.Name, name)
                .AddCells(one.State, 10, one.State == "attached" ? TextStyle.Good : TextStyle.Bad)
                .AddCells(one.Mode ?? one.Error ?? "", Math.Max(0, _width - name - 10)))],
            scrolls: true);
    }

    private void DrawPeers(List<ScreenLine> frame, TopSample latest, int rows, DateTimeOffset now)
    {
        IReadOnlyList<PeerRecord> all = latest.Peers ?? [];
        ulong second = (ulong)now.ToUnixTimeSeconds();
        int name = Math.Clamp(all.Select(one => CellText.Width(CellText.Clean(one.Host, unicode))).DefaultIfEmpty(0).Max() + 1, 10, Math.Max(10, _width - 36));
        DrawList(
            frame, rows,
            Line().AddCells("PEER", name, TextStyle.Bold).AddCells("STATE", 12, TextStyle.Bold).AddCells("SAME", 8, TextStyle.Bold)
                .AddCells("QUEUED", 7, TextStyle.Bold, right: true).Add("  LAST SUCCESS, ERROR", TextStyle.Bold),
            [.. all.Select(one => Line().AddCells(one.Host, name)
                .AddCells(one.State, 12, one.State == "up" ? TextStyle.Good : TextStyle.Bad)
                .AddCells(one.InSync is { } same ? same ? "yes" : "no" : "unknown", 8)
                .AddCells(Quantity.Count(one.Queued), 7, right: true)
                .AddCells($"  {(one.LastSuccess is { } at ? Span(second - Math.Min(second, at)) + " ago" : "never")}  {(one.State == "up" ? "" : one.LastError)}", Math.Max(0, _width - name - 27)))],
            scrolls: true);
    }

    /// <summary>A header and the lines from the scroll position on.</summary>
    /// <param name="scrolls">Whether the scroll position is that of this list.</param>
    private void DrawList(List<ScreenLine> frame, int rows, ScreenLine header, ScreenLine[] lines, bool scrolls)
    {
        int room = rows - 1;
        if (room < 0)
        {
            return;
        }

        int first = 0;
        if (scrolls)
        {
            view.PageRows = Math.Max(1, room);
            first = view.Scroll = Math.Clamp(view.Scroll, 0, Math.Max(0, lines.Length - room));
            _position = lines.Length > room ? $"{first + 1}-{first + room}/{lines.Length}" : "";
        }

        int end = frame.Count + rows;
        frame.Add(header);
        frame.AddRange(lines.Skip(first).Take(room));
        if (lines.Length == 0 && room > 0)
        {
            frame.Add(Line().Add(view.Filter.Length > 0 ? "(nothing matches the filter)" : "(none)", TextStyle.Dim));
        }

        while (frame.Count < end)
        {
            frame.Add(Line());
        }
    }

    private static string PerSecond(double? rate) => rate is not { } known ? "-"
        : known is > 0 and < 9.95 ? known.ToString("0.0", CultureInfo.InvariantCulture) : Quantity.Count(known);

    /// <summary>A time in its largest unit, two for days: <c>12s</c>, <c>59m</c>, <c>23h</c>, <c>3d 4h</c>.</summary>
    private static string Span(ulong seconds) => seconds switch
    {
        < 60 => $"{seconds}s",
        < 3_600 => $"{seconds / 60}m",
        < 86_400 => $"{seconds / 3_600}h",
        < 8_640_000 => $"{seconds / 86_400}d {seconds / 3_600 % 24}h",
        _ => $"{seconds / 86_400}d",
    };
}
