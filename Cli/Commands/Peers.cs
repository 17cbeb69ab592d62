using System.Globalization;
using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;

namespace Couic.Cli.Commands;

/// <summary><c>peers</c>.</summary>
internal static class Peers
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "peers",
        Summary = "Show the peers and whether they hold the same rules",
        Commands = [PeersDiff.Spec, new CommandSpec { Name = "list", Aliases = ["ls", "show"], Summary = "The same as without a command", Hidden = true, Run = Run }],
        Examples = ["couicctl peers", "couicctl peers diff couic2.example.net"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Get("/v1/peers");
        PeerRecord[] peers = api.Parse(answer, WireJson.Default.PeerRecordArray);
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
            return ExitStatus.Success;
        }

        if (peers.Length == 0)
        {
            invocation.Out.WriteLine("No peers configured.");
            return ExitStatus.Success;
        }

        ulong now = (ulong)invocation.Context.Clock.GetUtcNow().ToUnixTimeSeconds();
        Table.Write(
            invocation,
            peers,
            new Column<PeerRecord>("Peer", peer => $"{Printable.Escape(peer.Host)}:{peer.Port}") { IsText = true },
            new Column<PeerRecord>("State", peer => Printable.Escape(peer.State) + (peer.Plain ? " (1.x)" : "")) { Paint = peer => peer.State == "up" ? Colour.Green : Colour.Red },
            new Column<PeerRecord>("Same rules", peer => peer.InSync switch { true => "yes", false => "no", null => "unknown" }),
            new Column<PeerRecord>("Queued", peer => peer.Queued.ToString(CultureInfo.InvariantCulture)),
            new Column<PeerRecord>("Oldest", peer => peer.Queued == 0 ? "" : ExpirationCell.Left((ulong)peer.OldestQueuedSecs)) { Drop = 2 },
            new Column<PeerRecord>("Last success", peer => peer.LastSuccess is { } at ? Ago.Text(at, now) : "never") { Exact = peer => PointInTime.Text(peer.LastSuccess ?? 0), Drop = 3 },
            new Column<PeerRecord>("Clock", Clock) { Drop = 1 });
        if (invocation.Style.Format == OutputFormat.Tsv)
        {
            return ExitStatus.Success;
        }

        foreach (PeerRecord peer in peers.Where(p => p.LastError is not null))
        {
            invocation.Out.WriteLine($"{Printable.Escape(peer.Host)}:{peer.Port}: last error {Ago.Text(peer.LastErrorAt ?? now, now)}: {Printable.Escape(peer.LastError!)}");
        }

        foreach (PeerRecord peer in peers.Where(p => !p.Tls && !Loopback.IsHost(p.Host)))
        {
            invocation.Out.WriteLine($"{Printable.Escape(peer.Host)}:{peer.Port}: its token goes over the network in clear (set \"tls = true\")");
        }

        return ExitStatus.Success;
    }

    private static string Clock(PeerRecord peer) =>
        peer.ClockOffsetSecs is { } offset ? offset.ToString("+0.0s;-0.0s;+0.0s", CultureInfo.InvariantCulture) : "unknown";
}

/// <summary><c>peers diff</c>.</summary>
internal static class PeersDiff
{
    /// <summary>The daemon compares two tables over the network before it answers.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    public static readonly CommandSpec Spec = new()
    {
        Name = "diff",
        Summary = "List the rules on which a peer differs from this node",
        Arguments = [new ArgumentSpec("HOST", "The peer, as the configuration names it", ValueKind.Peer)],
        Examples = ["couicctl peers diff couic2.example.net"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        string host = invocation.Argument(0);
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Send(HttpMethod.Get, $"/v1/peers/{Uri.EscapeDataString(host)}/diff", limit: Limit);
        PeerDiffRecord diff = api.Parse(answer, WireJson.Default.PeerDiffRecord);
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
        }
        else if (diff.Differences.Length == 0 && invocation.Style.Format != OutputFormat.Tsv)
        {
            invocation.Out.WriteLine($"{Printable.Quote(host)} holds the same rules");
        }
        else
        {
            DateTimeOffset now = invocation.Context.Clock.GetUtcNow();
            Table.Write(
                invocation,
                diff.Differences,
                new Column<PeerDifference>("Policy", difference => Printable.Escape(difference.Policy)) { Drop = 1 },
                new Column<PeerDifference>("CIDR", difference => Printable.Escape(difference.Cidr)),
                new Column<PeerDifference>("Here", difference => Cell(difference.Here, now)) { IsText = true },
                new Column<PeerDifference>("There", difference => Cell(difference.There, now)) { IsText = true });
            if (invocation.Style.Format == OutputFormat.Tsv)
            {
                return ExitStatus.Success;
            }

            invocation.Out.WriteLine(
                diff.Differences.Length == 1 && !diff.Truncated ? "1 rule differs" : $"{diff.Differences.Length}{(diff.Truncated ? " and more" : "")} rules differ");
        }

        return ExitStatus.Success;
    }

    private static string Cell(PeerRule? rule, DateTimeOffset now) => rule is null
        ? "absent"
        : (string.IsNullOrEmpty(rule.Tag) ? "" : Printable.Escape(rule.Tag) + ", ") + ExpirationCell.Format(rule.Expiration, now);
}
