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
        Options = [CommonOptions.Json],
        Commands = [PeersDiff.Spec],
        Examples = ["couicctl peers", "couicctl peers diff couic2.example.net"],
        Run = Run,
    };

    private static readonly string[] Headers = ["Peer", "State", "Same rules", "Queued", "Oldest", "Last success", "Clock"];

    private static int Run(Invocation invocation)
    {
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Get("/v1/peers");
        PeerRecord[] peers = api.Parse(answer, WireJson.Default.PeerRecordArray);
        if (invocation.Has("json"))
        {
            IndentedJson.Write(invocation.Context.Output, answer.Body);
            return ExitStatus.Success;
        }

        if (peers.Length == 0)
        {
            invocation.Out.WriteLine("No peers configured.");
            return ExitStatus.Success;
        }

        ulong now = (ulong)invocation.Context.Clock.GetUtcNow().ToUnixTimeSeconds();
        Table.Write(invocation.Out, Headers, peers, (peer, column) => Cell(peer, column, now));
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

    private static string Cell(PeerRecord peer, int column, ulong now) => column switch
    {
        0 => $"{Printable.Escape(peer.Host)}:{peer.Port}",
        1 => Printable.Escape(peer.State) + (peer.Plain ? " (1.x)" : ""),
        2 => peer.InSync switch { true => "yes", false => "no", null => "unknown" },
        3 => peer.Queued.ToString(CultureInfo.InvariantCulture),
        4 => peer.Queued == 0 ? "" : ExpirationCell.Left((ulong)peer.OldestQueuedSecs),
        5 => peer.LastSuccess is { } at ? Ago.Text(at, now) : "never",
        _ => peer.ClockOffsetSecs is { } offset ? offset.ToString("+0.0s;-0.0s;+0.0s", CultureInfo.InvariantCulture) : "unknown",
    };
}

/// <summary><c>peers diff</c>.</summary>
internal static class PeersDiff
{
    /// <summary>The daemon compares two tables over the network before it answers.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    private static readonly string[] Headers = ["Policy", "CIDR", "Here", "There"];

    public static readonly CommandSpec Spec = new()
    {
        Name = "diff",
        Summary = "List the rules on which a peer differs from this node",
        Arguments = [new ArgumentSpec("HOST", "The peer, as the configuration names it")],
        Options = [CommonOptions.Json],
        Examples = ["couicctl peers diff couic2.example.net"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        string host = invocation.Argument(0);
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Send(HttpMethod.Get, $"/v1/peers/{Uri.EscapeDataString(host)}/diff", limit: Limit);
        PeerDiffRecord diff = api.Parse(answer, WireJson.Default.PeerDiffRecord);
        if (invocation.Has("json"))
        {
            IndentedJson.Write(invocation.Context.Output, answer.Body);
        }
        else if (diff.Differences.Length == 0)
        {
            invocation.Out.WriteLine($"{Printable.Quote(host)} holds the same rules");
        }
        else
        {
            DateTimeOffset now = invocation.Context.Clock.GetUtcNow();
            Table.Write(invocation.Out, Headers, diff.Differences, (difference, column) => column switch
            {
                0 => Printable.Escape(difference.Policy),
                1 => Printable.Escape(difference.Cidr),
                2 => Cell(difference.Here, now),
                _ => Cell(difference.There, now),
            });
            invocation.Out.WriteLine(
                diff.Differences.Length == 1 && !diff.Truncated ? "1 rule differs" : $"{diff.Differences.Length}{(diff.Truncated ? " and more" : "")} rules differ");
        }

        return ExitStatus.Success;
    }

    private static string Cell(PeerRule? rule, DateTimeOffset now) => rule is null
        ? "absent"
        : (string.IsNullOrEmpty(rule.Tag) ? "" : Printable.Escape(rule.Tag) + ", ") + ExpirationCell.Format(rule.Expiration, now);
}
