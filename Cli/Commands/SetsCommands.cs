using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>sets</c>.</summary>
internal static class SetsCommands
{
    public static readonly ArgumentSpec Name = new("NAME", "Name of the set: 1 to 48 ASCII letters, digits, \"-\" and \"_\"", ValueKind.SetName);

    public static readonly CommandSpec Spec = new()
    {
        Name = "sets",
        Summary = "Files of networks that survive a restart",
        Details =
        [
            "A set is a file. What is created, updated or deleted here takes effect with \"couicctl sets reload\", in one step, "
            + "or when the daemon starts again.",
        ],
        Commands = [SetsList.Spec, SetsInspect.Spec, SetsCreate.Spec, SetsUpdate.Spec, SetsDelete.Spec, SetsReload.Spec],
    };

    /// <summary>Checks POLICY and NAME, and throws with the caller's faults added.</summary>
    /// <exception cref="UsageException">One of them is invalid.</exception>
    public static (Policy Policy, string Name, string Path) Target(Invocation invocation, params IEnumerable<string?> faults)
    {
        string name = invocation.Argument(1);
        CommonOptions.ThrowIfAny([NameArgument.TryPolicy(invocation.Argument(0), out Policy policy), NameArgument.Fault("set name", name), .. faults]);
        return (policy, name, $"{PathOf(policy)}/{name}");
    }

    public static string PathOf(Policy policy) => "/v1/sets/" + policy.Name();

    /// <summary>Checks the entries of a drop set against the operator's address.</summary>
    /// <exception cref="CliException">An entry covers it.</exception>
    public static void ThrowIfLockedOut(Invocation invocation, ApiClient api, Policy policy, SetRecord set)
    {
        var guard = new OperatorGuard(invocation, api, policy == Policy.Drop && !invocation.Has(GuardOptions.Force.Long));
        foreach (string entry in set.Entries)
        {
            if (NetworkText.TryParse(entry, out Cidr cidr) is null && guard.Objection(cidr, "--force") is { } objection)
            {
                throw new CliException(objection) { ExitStatus = ExitStatus.Refused };
            }
        }
    }

    /// <summary>The query of a reload: only the daemon reads the files, so the request has the operator's addresses.</summary>
    public static string ReloadQuery(Invocation invocation, ApiClient api) =>
        invocation.GuardedQuery(new OperatorGuard(invocation, api, !invocation.Has(GuardOptions.Force.Long)).OperatorParameters);

    /// <summary>Prints what was done, and that a reload has to follow.</summary>
    public static void Announce(Invocation invocation, ApiAnswer answer, string done)
    {
        invocation.Noted(answer);
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
            return;
        }

        invocation.Out.WriteLine(done);
        invocation.Out.WriteLine("Note: Run 'couicctl sets reload' to apply changes");
    }
}

/// <summary><c>sets list</c>.</summary>
internal static class SetsList
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "list",
        Summary = "List the sets of a policy",
        Arguments = [CommonOptions.Policy],
        Examples = ["couicctl sets list drop"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        CommonOptions.ThrowIfAny(NameArgument.TryPolicy(invocation.Argument(0), out Policy policy));
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Get(SetsCommands.PathOf(policy));
        SetSummary[] sets = api.Parse(answer, WireJson.Default.SetSummaryArray);
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
            return ExitStatus.Success;
        }

        foreach (SetSummary set in sets)
        {
            invocation.Out.WriteLine($"{Printable.Escape(set.Name)}: {set.EntryCount} entries ({set.FileSize} bytes)");
        }

        if (sets.Length == 0)
        {
            invocation.Out.WriteLine($"No sets found for policy '{policy.Name()}'");
        }

        return ExitStatus.Success;
    }
}

/// <summary><c>sets inspect</c>.</summary>
internal static class SetsInspect
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "inspect",
        Summary = "Show the entries of a set file",
        Aliases = ["show"],
        Arguments = [CommonOptions.Policy, SetsCommands.Name],
        Options = [CommonOptions.Quiet("networks")],
        Examples = ["couicctl sets inspect drop blocklist", "couicctl sets inspect -q drop blocklist > blocklist.txt"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        string path = SetsCommands.Target(invocation).Path;
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Get(path);
        SetRecord set = api.Parse(answer, WireJson.Default.SetRecord);
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
            return ExitStatus.Success;
        }

        if (invocation.Style.Format == OutputFormat.Tsv || invocation.Has("quiet"))
        {
            invocation.Out.Write(invocation.Has("quiet") ? "" : "cidr\n");
            Array.ForEach(set.Entries, entry => invocation.Out.WriteLine(Printable.Escape(entry)));
            return ExitStatus.Success;
        }

        invocation.Out.WriteLine($"Set: {Printable.Escape(set.Name)}");
        invocation.Out.WriteLine($"Entry count: {set.Entries.Length}");
        invocation.Out.WriteLine("Entries:");
        foreach (string entry in set.Entries)
        {
            invocation.Out.WriteLine($"\t{Printable.Escape(entry)}");
        }

        return ExitStatus.Success;
    }
}

/// <summary><c>sets create</c>.</summary>
internal static class SetsCreate
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "create",
        Summary = "Create a set from networks, a file, or the prefixes of an autonomous system",
        Arguments = [CommonOptions.Policy, SetsCommands.Name, SetSource.Entries],
        Options = [SetSource.FromFile, SetSource.FromAsn, GuardOptions.Force],
        Examples =
        [
            "couicctl sets create drop scanners 192.0.2.0/24 2001:db8:bad::/48",
            "couicctl sets create drop blocklist --from-file list.txt",
            "couicctl sets create ignore partner --from-asn AS64500",
        ],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        (Policy policy, string name, _) = SetsCommands.Target(invocation, SetSource.Faults(invocation));
        using ApiClient api = invocation.Connect();
        var set = new SetRecord(name, SetSource.Read(invocation, api.Endpoint));
        SetsCommands.ThrowIfLockedOut(invocation, api, policy, set);
        string path = SetsCommands.PathOf(policy) + (policy == Policy.Drop ? invocation.GuardedQuery() : "");
        ApiAnswer answer = api.Send(HttpMethod.Post, path, set, WireJson.Default.SetRecord);
        SetRecord made = api.Parse(answer, WireJson.Default.SetRecord);
        SetsCommands.Announce(invocation, answer, $"Set '{name}' created with {made.Entries.Length} entries");
        return ExitStatus.Success;
    }
}

/// <summary><c>sets update</c>.</summary>
internal static class SetsUpdate
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "update",
        Summary = "Replace all entries of a set",
        Arguments = [CommonOptions.Policy, SetsCommands.Name, SetSource.Entries],
        Options = [SetSource.FromFile, SetSource.FromAsn, SetSource.Empty, GuardOptions.Force],
        Examples = ["couicctl sets update drop blocklist --from-file list.txt", "couicctl sets update drop blocklist --empty"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        (Policy policy, string name, string path) = SetsCommands.Target(invocation, SetSource.Faults(invocation));
        using ApiClient api = invocation.Connect();
        var set = new SetRecord(name, SetSource.Read(invocation, api.Endpoint));
        SetsCommands.ThrowIfLockedOut(invocation, api, policy, set);
        path += invocation.GuardedQuery();
        ApiAnswer answer = api.Send(HttpMethod.Put, path, set, WireJson.Default.SetRecord);
        SetRecord made = api.Parse(answer, WireJson.Default.SetRecord);
        SetsCommands.Announce(invocation, answer, $"Set '{name}' updated with {made.Entries.Length} entries");
        return ExitStatus.Success;
    }
}

/// <summary><c>sets delete</c>.</summary>
internal static class SetsDelete
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "delete",
        Summary = "Delete a set file",
        Details = ["Its entries stay in force until \"couicctl sets reload\"."],
        Arguments = [CommonOptions.Policy, SetsCommands.Name],
        Options = [GuardOptions.Force],
        Examples = ["couicctl sets delete drop blocklist"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        (Policy policy, string name, string path) = SetsCommands.Target(invocation);
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Delete(path + (policy == Policy.Ignore ? invocation.GuardedQuery() : ""));
        SetsCommands.Announce(invocation, answer, $"Set '{name}' deleted");
        return ExitStatus.Success;
    }
}

/// <summary><c>sets reload</c>.</summary>
internal static class SetsReload
{
    /// <summary>The daemon reads, checks and compares up to half a million lines before it answers.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    public static readonly CommandSpec Spec = new()
    {
        Name = "reload",
        Summary = "Apply the files of all sets",
        Details = ["Applies only the differences, in one step. If a file is invalid, nothing changes and the answer names the line. "
            + "Without --force, nothing changes either if the files would lock you out, or if a set would lose all or most of its entries, as after a failed download."],
        Options = [GuardOptions.Force],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = invocation.Noted(api.Send(HttpMethod.Post, "/v1/sets/reload" + SetsCommands.ReloadQuery(invocation, api), limit: Limit));
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
            return ExitStatus.Success;
        }

        invocation.Out.WriteLine("Sets reloaded successfully");
        return ExitStatus.Success;
    }
}
