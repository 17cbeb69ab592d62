using System.Globalization;
using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;

namespace Couic.Cli.Commands;

/// <summary><c>bus</c>.</summary>
internal static class BusCommand
{
    private const int Indent = 15;

    public static readonly CommandSpec Spec = new()
    {
        Name = "bus",
        Summary = "Show the message bus: connection, lag, rules that wait",
        Examples = ["couicctl bus"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Get("/v1/bus");
        BusRecord bus = api.Parse(answer, WireJson.Default.BusRecord);
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
            return ExitStatus.Success;
        }

        ulong now = (ulong)invocation.Context.Clock.GetUtcNow().ToUnixTimeSeconds();
        List<(string Label, string Value)> rows =
        [
            ("Stream", Printable.Escape(bus.Name)),
            ("State", Printable.Escape(bus.State)),
            ("Server", bus.Server is null ? "none yet" : Printable.Escape(bus.Server)),
            ("Servers", string.Join(", ", bus.Servers.Select(Printable.Escape))),
            ("Messages", Number(bus.Messages)),
            ("Lag", bus.LagSecs is { } lag ? $"{Number(bus.LagMessages)} messages{(lag > 0 ? $", {ExpirationCell.Left((ulong)lag)}" : "")}" : "not read yet"),
            ("Waiting rules", Number(bus.Marked) + (bus.Marked == 0 ? "" : $", the oldest for {ExpirationCell.Left((ulong)bus.OldestMarkedSecs)}")),
            ("Published", Number(bus.Counts.Published)),
            ("Received", $"{Number(bus.Counts.Received)}, {Number(bus.Counts.Applied)} changed a rule, {Number(bus.Counts.Repaired)} repaired"),
            ("Not rules", Number(bus.Counts.Malformed + bus.Counts.LaterVersion)),
        ];
        if (bus.LastError is { } error)
        {
            rows.Add(("Last error", $"{Ago.Text(bus.LastErrorAt ?? now, now)}: {Printable.Escape(error)}"));
        }

        foreach ((string label, string value) in rows)
        {
            string head = label + ":";
            int width = Math.Max(1, (invocation.Style.Width ?? int.MaxValue) - Indent);
            foreach (char[] line in Wrapping.Lines(value, width).SelectMany(line => line.Chunk(width))) // a long address is broken
            {
                invocation.Out.WriteLine($"{head.PadRight(Indent)}{new string(line)}");
                head = "";
            }
        }

        return ExitStatus.Success;
    }

    private static string Number(ulong value) => value.ToString(CultureInfo.InvariantCulture);
}
