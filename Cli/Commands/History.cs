using System.Globalization;
using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>history</c>: who changed what and when, from the audit lines of the log.</summary>
internal static class History
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "history",
        Summary = "Show who changed what and when",
        Details =
        [
            "Reads the audit lines of the daemon's log files, as far back as they go. With a network, only changes of it, of networks that cover it, "
            + "and of networks within it. A bulk change names its first entries.",
        ],
        Arguments = [CommonOptions.Cidr with { Occurs = Occurs.Optional }],
        Options =
        [
            new OptionSpec("since", '\0', "TIME", "How far back: minutes, or a duration such as 90s, 2h, 7d") { Default = "0" },
            new OptionSpec("limit", 'n', "N", "The newest so many changes, at most 10000") { Default = "100" },
        ],
        Examples = ["couicctl history --since 2h", "couicctl history 192.0.2.7"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        string? fault = TimeArgument.TryParse(invocation.Option("since") ?? "0", out ulong seconds);
        string limit = invocation.Option("limit") ?? "100";
        CommonOptions.ThrowIfAny(fault, int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count is > 0 and <= 10_000
            ? null : $"--limit \"{Printable.Quote(limit)}\" is not a number from 1 to 10000");
        string query = $"?limit={limit}";
        if (invocation.Parsed.Arguments.Count > 0)
        {
            query += $"&cidr={invocation.CidrArgument(0).Network}";
        }

        if (seconds > 0)
        {
            ulong now = (ulong)invocation.Context.Clock.GetUtcNow().ToUnixTimeSeconds();
            query += string.Create(CultureInfo.InvariantCulture, $"&since={(now > seconds ? now - seconds : 0)}");
        }

        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Get("/v1/history" + query);
        HistoryRecord history = api.Parse(answer, WireJson.Default.HistoryRecord);
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
            return ExitStatus.Success;
        }

        if (!history.Complete)
        {
            invocation.Note("there are older changes (--limit, --since)");
        }

        if (history.Changes.Length == 0)
        {
            invocation.Note("no changes");
            return ExitStatus.Success;
        }

        TimeProvider clock = invocation.Context.Clock;
        Table.Write(
            invocation, history.Changes,
            new Column<ChangeRecord>("Time", change => Time(change, clock)) { Exact = change => change.Time, Drop = 4 },
            new Column<ChangeRecord>("Policy", change => change.Policy ?? string.Empty) { Drop = 2 },
            new Column<ChangeRecord>("CIDR", change => Printable.Escape(change.Cidr ?? string.Empty)),
            new Column<ChangeRecord>("Tag", change => Printable.Escape(change.Tag ?? string.Empty)) { IsText = true, Drop = 3 },
            new Column<ChangeRecord>("Client", change => Printable.Escape(change.Client ?? string.Empty)) { Drop = 1 },
            new Column<ChangeRecord>("Change", change => Printable.Escape(What(change, clock))) { IsText = true, Exact = change => Printable.Escape(change.Message) });
        return ExitStatus.Success;
    }

    private static string Time(ChangeRecord change, TimeProvider clock) =>
        DateTimeOffset.TryParse(change.Time, CultureInfo.InvariantCulture, out DateTimeOffset at) ? Local(at, clock) : Printable.Escape(change.Time);

    private static string What(ChangeRecord change, TimeProvider clock) => change.Event switch
    {
        "entry_created" => "added" + Until(change, clock),
        "entry_updated" => "updated" + Until(change, clock),
        "entry_deleted" => "deleted",
        _ => change.Message,
    };

    private static string Until(ChangeRecord change, TimeProvider clock) => change.Expiration is { } expiration and > 0 and < 253_402_300_799
        ? $" until {Local(DateTimeOffset.FromUnixTimeSeconds((long)expiration), clock)}"
        : string.Empty;

    private static string Local(DateTimeOffset time, TimeProvider clock) =>
        TimeZoneInfo.ConvertTime(time, clock.LocalTimeZone).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
}
