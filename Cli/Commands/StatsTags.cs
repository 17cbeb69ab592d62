using System.Globalization;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
using Couic.Http.Wire;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>stats drop</c>, <c>stats ignore</c>.</summary>
internal static class StatsTags
{
    private static readonly string[] Headers = ["Tag", "Policy", "RX Packets", "RX Bytes"];

    public static CommandSpec Spec(Policy policy) => new()
    {
        Name = policy.Name(),
        Summary = $"Show what each tag of {policy.Name()} has counted since the start",
        Options = [CommonOptions.Json],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        string policy = invocation.Parsed.Command.Name;
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Get("/v1/stats/tags/" + policy);
        TagStatsRecord stats = api.Parse(answer, WireJson.Default.TagStatsRecord);
        if (invocation.Has("json"))
        {
            IndentedJson.Write(invocation.Context.Output, answer.Body);
        }
        else if (stats.Tags.Count == 0)
        {
            invocation.Out.WriteLine("No tag statistics available.");
        }
        else
        {
            KeyValuePair<string, CounterRecord>[] rows = [.. stats.Tags.OrderBy(t => t.Key, StringComparer.Ordinal)];
            Table.Write(invocation.Out, Headers, rows, (row, column) => column switch
            {
                0 => Printable.Escape(row.Key),
                1 => policy,
                2 => row.Value.RxPackets.ToString(CultureInfo.InvariantCulture),
                _ => row.Value.RxBytes.ToString(CultureInfo.InvariantCulture),
            });
        }

        return ExitStatus.Success;
    }
}
