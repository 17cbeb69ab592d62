using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>drop</c> and <c>ignore</c>.</summary>
internal static class EntryCommands
{
    public static CommandSpec Spec(Policy policy) => new()
    {
        Name = policy.Name(),
        Summary = policy == Policy.Drop ? "Networks whose packets are dropped" : "Networks whose packets always pass, even if drop covers them",
        Commands = [EntryAdd.Spec(policy), EntryDelete.Spec(policy), EntryDelete.Flush(policy), EntryList.Spec(policy), EntryInspect.Spec(policy), EntryImport.Spec(policy)],
    };
}

/// <summary>Paths of the API for entries.</summary>
internal static class EntryPath
{
    public static string Of(Policy policy) => "/v1/" + policy.Name();

    public static string Of(Policy policy, Cidr cidr) => $"/v1/{policy.Name()}/{cidr.AddressText()}/{cidr.Length}";
}

/// <summary><c>drop inspect</c>, <c>ignore inspect</c>.</summary>
internal static class EntryInspect
{
    public static CommandSpec Spec(Policy policy) => new()
    {
        Name = "inspect",
        Aliases = ["show"],
        Summary = $"Show the entry of exactly this network in {policy.Name()}",
        Details = ["The prefix length must be that of the entry. \"couicctl why ADDRESS\" finds every entry that covers an address."],
        Arguments = [CommonOptions.Cidr with { Kind = ValueKind.Cidr }],
        Options = [new OptionSpec("details", 'd', null, "Also packets, last hit, when it was added, and by which client, set or peer")],
        Examples = [$"couicctl {policy.Name()} inspect 192.0.2.0/24"],
        Run = Run,
    };

    /// <summary>Prints one entry.</summary>
    /// <param name="now">The time from which the remaining time counts.</param>
    public static void Print(Invocation invocation, Policy policy, ApiAnswer answer, ApiClient api, DateTimeOffset now)
    {
        api.Read(() =>
        {
            if (invocation.IsJson)
            {
                IndentedJson.WriteResult(invocation, answer.Body);
                return;
            }

            if (invocation.Has("details"))
            {
                var detailed = new DetailedRows(EntryColumns.All);
                detailed.Add(EntryLine.Parse(answer.Body));
                detailed.Write(invocation, policy, now);
                WriteClaims(invocation, answer, now);
                return;
            }

            var rows = new EntryRows();
            rows.Add(EntryLine.Parse(answer.Body));
            rows.Write(invocation, policy, now);
            WriteClaims(invocation, answer, now);
        });
    }

    private static void WriteClaims(Invocation invocation, ApiAnswer answer, DateTimeOffset now)
    {
        EntryLine entry = EntryLine.Parse(answer.Body);
        ClaimTable.Write(invocation, entry.Cidr.Network.ToString(), entry.ReadClaims(), now);
    }

    private static int Run(Invocation invocation)
    {
        Policy policy = invocation.PolicyOfCommand();
        Cidr cidr = invocation.CidrArgument(0);
        using ApiClient api = invocation.Connect();
        try
        {
            Print(invocation, policy, api.Get(EntryPath.Of(policy, cidr) + (invocation.Has("details") ? "?details=true" : "")), api, invocation.Context.Clock.GetUtcNow());
            return ExitStatus.Success;
        }
        catch (CliException e) when (e.ExitStatus == ExitStatus.Absent)
        {
            throw Neighbourhood.Absent(api, policy, cidr);
        }
    }
}
