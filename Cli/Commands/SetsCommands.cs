using System.Globalization;
using System.Text.Json;
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

    public static readonly OptionSpec Reload = new("reload", 'r', null, "Apply the change at once, as \"sets reload\" does");

    public static readonly CommandSpec Spec = new()
    {
        Name = "sets",
        Summary = "Files of networks that survive a restart",
        Details =
        [
            "A set is a file. What is created, updated or deleted here takes effect with \"couicctl sets reload\", in one step, "
            + "or when the daemon starts again.",
        ],
        Commands = [SetsList.Spec, SetsInspect.Spec, SetsDiff.Spec, SetsCreate.Spec, SetsUpdate.Spec, SetsEdit.Add, SetsEdit.Remove, SetsDelete.Spec, SetsReload.Spec],
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
    public static string ReloadQuery(Invocation invocation, ApiClient api, string? part = null) => invocation.GuardedQuery(
        [part, .. new OperatorGuard(invocation, api, !invocation.Has(GuardOptions.Force.Long)).OperatorParameters]);

    /// <summary>Replaces the content of a file.</summary>
    /// <exception cref="CliException">The guard, or the daemon, refuses it.</exception>
    public static ApiAnswer Replace(Invocation invocation, ApiClient api, Policy policy, SetRecord set)
    {
        ThrowIfLockedOut(invocation, api, policy, set);
        return api.Send(HttpMethod.Put, $"{PathOf(policy)}/{set.Name}{invocation.GuardedQuery()}", set, WireJson.Default.SetRecord);
    }

    /// <summary>Prints what was done, and that a reload has to follow; with <c>--reload</c> it follows here.</summary>
    public static int Announce(Invocation invocation, ApiClient api, ApiAnswer answer, string done)
    {
        invocation.Noted(answer);
        ApiAnswer? reload = invocation.Has(Reload.Long) ? SetsReload.Send(invocation, api) : null;
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
            return ExitStatus.Success;
        }

        invocation.Out.WriteLine(done);
        invocation.Out.WriteLine(reload is null ? "Note: Run 'couicctl sets reload' to apply changes" : "Sets reloaded successfully");
        return ExitStatus.Success;
    }
}

/// <summary><c>sets list</c>.</summary>
internal static class SetsList
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "list",
        Aliases = ["ls"],
        Summary = "List the sets with their state",
        Details =
        [
            "States: loaded; changed, new or gone since the last reload; faulty, with the first fault; ignored, a file whose name is not that of a set. "
            + "With POLICY it prints one line per set, and a note for those that are not loaded.",
        ],
        Arguments = [CommonOptions.Policy with { Occurs = Occurs.Optional }],
        Examples = ["couicctl sets list", "couicctl sets list drop"],
        Run = Run,
    };

    /// <summary>The sets of a policy. Daemons of 2.0 and older send no state.</summary>
    public static SetSummary[] Fetch(ApiClient api, Policy policy) =>
        api.Parse(api.Get(SetsCommands.PathOf(policy) + "?details=true"), WireJson.Default.SetSummaryArray);

    private static int Run(Invocation invocation)
    {
        Policy only = default;
        bool isOne = invocation.Parsed.Arguments.Count > 0;
        CommonOptions.ThrowIfAny(isOne ? NameArgument.TryPolicy(invocation.Argument(0), out only) : null);
        using ApiClient api = invocation.Connect();
        (Policy Policy, SetSummary Set)[] sets = [.. (isOne ? [only] : Policies.All.ToArray()).SelectMany(policy => Fetch(api, policy).Select(set => (policy, set)))];
        if (invocation.IsJson)
        {
            WriteJson(invocation, sets);
        }
        else if (isOne && invocation.Option(OutputStyle.OutputOption.Long) is null)
        {
            WriteLines(invocation, only, sets);
        }
        else
        {
            WriteTable(invocation, sets);
        }

        return ExitStatus.Success;
    }

    /// <summary>As couic 1.x prints them.</summary>
    private static void WriteLines(Invocation invocation, Policy policy, (Policy Policy, SetSummary Set)[] sets)
    {
        SetSummary[] files = [.. sets.Select(one => one.Set).Where(set => set.State is not ("ignored" or "gone"))];
        foreach (SetSummary set in files)
        {
            invocation.Out.WriteLine($"{Printable.Escape(set.Name)}: {set.EntryCount} entries ({set.FileSize} bytes)");
        }

        if (files.Length == 0)
        {
            invocation.Out.WriteLine($"No sets found for policy '{policy.Name()}'");
        }

        invocation.Context.Flush();
        foreach ((_, SetSummary set) in sets.Where(one => one.Set.State is not (null or "loaded")))
        {
            invocation.Note($"{Printable.Escape(set.Name)} {Explain(set)}");
        }
    }

    private static string Explain(SetSummary set) => set.State switch
    {
        "changed" => "has changed since the last reload (couicctl sets diff, couicctl sets reload)",
        "new" => "is not loaded yet (couicctl sets reload)",
        "gone" => "has no file any more; its entries stay until a reload (couicctl sets reload)",
        "faulty" => $"is faulty: {Printable.Escape(set.Fault ?? "")}",
        _ => $"is ignored: {Printable.Escape(set.Fault ?? "its name is not that of a set")}",
    };

    private static void WriteTable(Invocation invocation, (Policy Policy, SetSummary Set)[] sets)
    {
        Table.Write(
            invocation,
            sets,
            new Column<(Policy Policy, SetSummary Set)>("Policy", row => row.Policy.Name()),
            new("Set", row => Printable.Escape(row.Set.Name)) { IsText = true },
            new("State", row => row.Set.State ?? "unknown") { Paint = row => row.Set.State switch { "loaded" => Colour.Green, "faulty" => Colour.Red, _ => Colour.Yellow } },
            new("Entries", row => Quantity.Grouped(row.Set.EntryCount)) { IsNumber = true, Exact = row => row.Set.EntryCount.ToString(CultureInfo.InvariantCulture) },
            new("In force", row => row.Set.InForce is { } inForce ? Quantity.Grouped(inForce) : "") { IsNumber = true, Exact = row => row.Set.InForce?.ToString(CultureInfo.InvariantCulture) ?? "" },
            new("Size", row => Quantity.Bytes(row.Set.FileSize)) { IsNumber = true, Exact = row => row.Set.FileSize.ToString(CultureInfo.InvariantCulture), Drop = 1 },
            new("Fault", row => Printable.Escape(row.Set.Fault ?? "")) { IsText = true, Drop = 2 });
        if (sets.Length == 0 && invocation.Style.Format != OutputFormat.Tsv)
        {
            invocation.Context.Flush();
            invocation.Note("there are no sets (couicctl sets create --help)");
        }
    }

    private static void WriteJson(Invocation invocation, (Policy Policy, SetSummary Set)[] sets)
    {
        using (var json = new Utf8JsonWriter(invocation.Context.Output, IndentedJson.Options))
        {
            json.WriteStartArray();
            foreach ((Policy policy, SetSummary set) in sets)
            {
                json.WriteStartObject();
                json.WriteString("policy"u8, policy.Utf8Name());
                json.WriteString("name"u8, set.Name);
                json.WriteNumber("entry_count"u8, set.EntryCount);
                json.WriteNumber("file_size"u8, set.FileSize);
                json.WriteString("state"u8, set.State);
                if (set.InForce is { } inForce)
                {
                    json.WriteNumber("in_force"u8, inForce);
                }

                if (set.Fault is not null)
                {
                    json.WriteString("fault"u8, set.Fault);
                }

                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        invocation.Context.Output.WriteByte((byte)'\n');
    }
}

/// <summary><c>sets inspect</c>.</summary>
internal static class SetsInspect
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "inspect",
        Aliases = ["show"],
        Summary = "Show the entries of a set file",
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

/// <summary><c>sets diff</c>: what a reload would change.</summary>
internal static class SetsDiff
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "diff",
        Summary = "Show what a reload would add and remove",
        Details = ["Compares the files with the entries in force. \"+\" is an entry that a reload adds, \"-\" one that it removes. Faulty files are named, since a reload refuses them."],
        Arguments = [CommonOptions.Policy with { Occurs = Occurs.Optional }],
        Examples = ["couicctl sets diff", "couicctl sets diff drop"],
        Run = Run,
    };

    private sealed record Difference(Policy Policy, string Set, bool IsAdded, string Cidr);

    private static int Run(Invocation invocation)
    {
        Policy only = default;
        CommonOptions.ThrowIfAny(invocation.Parsed.Arguments.Count > 0 ? NameArgument.TryPolicy(invocation.Argument(0), out only) : null);
        using ApiClient api = invocation.Connect();
        var differences = new List<Difference>();
        foreach (Policy policy in invocation.Parsed.Arguments.Count > 0 ? [only] : Policies.All)
        {
            foreach (SetSummary set in SetsList.Fetch(api, policy).Where(set => set.State is not ("loaded" or "ignored")))
            {
                if (set.State == "faulty")
                {
                    invocation.Note($"{policy.Name()} {Printable.Escape(set.Name)} is faulty: {Printable.Escape(set.Fault ?? "")}");
                    continue;
                }

                Compare(api, policy, set, differences);
            }
        }

        if (invocation.IsJson)
        {
            IndentedJson.WriteObject(invocation, json => WriteMembers(json, differences));
        }
        else if (differences.Count == 0 && invocation.Style.Format != OutputFormat.Tsv)
        {
            invocation.Out.WriteLine("No differences");
        }
        else if (invocation.Style.Format == OutputFormat.Tsv)
        {
            Table.Write(
                invocation,
                differences,
                new Column<Difference>("Change", one => one.IsAdded ? "+" : "-"),
                new("Policy", one => one.Policy.Name()),
                new("Set", one => Printable.Escape(one.Set)),
                new("CIDR", one => Printable.Escape(one.Cidr)));
        }
        else
        {
            foreach (Difference one in differences)
            {
                invocation.Out.WriteLine(invocation.Style.On(
                    one.IsAdded ? Colour.Green : Colour.Red, $"{(one.IsAdded ? '+' : '-')} {one.Policy.Name()} {Printable.Escape(one.Set)} {Printable.Escape(one.Cidr)}"));
            }
        }

        return ExitStatus.Success;
    }

    private static void Compare(ApiClient api, Policy policy, SetSummary set, List<Difference> differences)
    {
        SortedSet<Cidr> wanted = set.State == "gone" ? [] : Networks(api.Parse(api.Get($"{SetsCommands.PathOf(policy)}/{set.Name}"), WireJson.Default.SetRecord).Entries);
        SortedSet<Cidr> present = [];
        byte[] tag = System.Text.Encoding.ASCII.GetBytes(set.Name + ".couic");
        api.Stream(HttpMethod.Get, $"{EntryPath.Of(policy)}?tag={set.Name}.couic", null, stream => JsonArrayReader.ForEach(stream, json =>
        {
            EntryLine entry = EntryLine.Parse(json);
            if (entry.Tag.SequenceEqual(tag))
            {
                present.Add(entry.Cidr.Network);
            }
        }));
        differences.AddRange(wanted.Except(present).Select(cidr => new Difference(policy, set.Name, true, cidr.ToString())));
        differences.AddRange(present.Except(wanted).Select(cidr => new Difference(policy, set.Name, false, cidr.ToString())));
    }

    private static SortedSet<Cidr> Networks(string[] entries)
    {
        var cidrs = new SortedSet<Cidr>();
        foreach (string entry in entries)
        {
            if (NetworkText.TryParse(entry, out Cidr cidr) is null)
            {
                cidrs.Add(cidr.Network);
            }
        }

        return cidrs;
    }

    private static void WriteMembers(Utf8JsonWriter json, List<Difference> differences)
    {
        foreach (bool isAdded in (ReadOnlySpan<bool>)[true, false])
        {
            json.WriteStartArray(isAdded ? "added"u8 : "removed"u8);
            foreach (Difference one in differences.Where(one => one.IsAdded == isAdded))
            {
                json.WriteStartObject();
                json.WriteString("policy"u8, one.Policy.Utf8Name());
                json.WriteString("set"u8, one.Set);
                json.WriteString("cidr"u8, one.Cidr);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }
    }
}

/// <summary><c>sets create</c>.</summary>
internal static class SetsCreate
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "create",
        Aliases = ["new"],
        Summary = "Create a set from networks, a file, or the prefixes of an autonomous system",
        Arguments = [CommonOptions.Policy, SetsCommands.Name, SetSource.Entries],
        Options = [SetSource.FromFile, SetSource.FromAsn, SetsCommands.Reload, GuardOptions.Force],
        Examples =
        [
            "couicctl sets create drop scanners 192.0.2.0/24 2001:db8:bad::/48",
            "couicctl sets create drop blocklist --from-file list.txt --reload",
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
        return SetsCommands.Announce(invocation, api, answer, $"Set '{name}' created with {made.Entries.Length} entries");
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
        Options = [SetSource.FromFile, SetSource.FromAsn, SetSource.Empty, SetsCommands.Reload, GuardOptions.Force],
        Examples = ["couicctl sets update drop blocklist --from-file list.txt --reload", "couicctl sets update drop blocklist --empty"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        (Policy policy, string name, _) = SetsCommands.Target(invocation, SetSource.Faults(invocation));
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = SetsCommands.Replace(invocation, api, policy, new SetRecord(name, SetSource.Read(invocation, api.Endpoint)));
        SetRecord made = api.Parse(answer, WireJson.Default.SetRecord);
        return SetsCommands.Announce(invocation, api, answer, $"Set '{name}' updated with {made.Entries.Length} entries");
    }
}

/// <summary><c>sets add</c>, <c>sets remove</c>: single entries of a set.</summary>
internal static class SetsEdit
{
    public static readonly CommandSpec Add = new()
    {
        Name = "add",
        Summary = "Add networks to a set",
        Details = ["The file is written again, without its comments. Networks that it has already are named and change nothing."],
        Arguments = [CommonOptions.Policy, SetsCommands.Name, SetSource.Entries with { Occurs = Occurs.AtLeastOnce }],
        Options = [SetsCommands.Reload, GuardOptions.Force],
        Examples = ["couicctl sets add drop scanners 192.0.2.0/24 --reload"],
        Run = invocation => Run(invocation, isRemoval: false),
    };

    public static readonly CommandSpec Remove = new()
    {
        Name = "remove",
        Summary = "Remove networks from a set",
        Details = ["The file is written again, without its comments. To remove the whole set: \"couicctl sets delete\"."],
        Arguments = [CommonOptions.Policy, SetsCommands.Name, SetSource.Entries with { Occurs = Occurs.AtLeastOnce }],
        Options = [SetsCommands.Reload, CommonOptions.IfExists, GuardOptions.Force],
        Examples = ["couicctl sets remove drop scanners 192.0.2.0/24 --reload"],
        Run = invocation => Run(invocation, isRemoval: true),
    };

    private static int Run(Invocation invocation, bool isRemoval)
    {
        List<Cidr> changed = [];
        (Policy policy, string name, string path) = SetsCommands.Target(
            invocation, invocation.Parsed.Arguments.Skip(2).Select(entry => NetworkText.TryParse(entry, changed)));
        using ApiClient api = invocation.Connect();
        SetRecord set = api.Parse(api.Get(path), WireJson.Default.SetRecord);
        var entries = new List<string>(set.Entries);
        HashSet<Cidr> present = [.. set.Entries.Select(Network)];
        string[] idle = [.. changed.Where(cidr => present.Contains(cidr.Network) != isRemoval).Select(cidr => cidr.Network.ToString())];
        if (isRemoval && idle.Length > 0 && !invocation.Has(CommonOptions.IfExists.Long))
        {
            throw new CliException([.. idle.Select(cidr => $"{cidr} is not in set \"{name}\" of {policy.Name()}")]) { ExitStatus = ExitStatus.Absent };
        }

        if (isRemoval)
        {
            HashSet<Cidr> gone = [.. changed.Select(cidr => cidr.Network)];
            entries.RemoveAll(entry => gone.Contains(Network(entry)));
        }
        else
        {
            Array.ForEach(idle, cidr => invocation.Note($"{cidr} is in set \"{name}\" already"));
            entries.AddRange(changed.Where(cidr => present.Add(cidr.Network)).Select(cidr => cidr.ToString()));
        }

        int count = Math.Abs(entries.Count - set.Entries.Length);
        ApiAnswer answer = SetsCommands.Replace(invocation, api, policy, new SetRecord(name, [.. entries]));
        return SetsCommands.Announce(
            invocation, api, answer, $"{Quantity.Grouped((ulong)count)} {(isRemoval ? "removed from" : "added to")} set '{name}', which has {entries.Count} entries");
    }

    private static Cidr Network(string entry) => NetworkText.TryParse(entry, out Cidr cidr) is null ? cidr.Network : default;
}

/// <summary><c>sets delete</c>.</summary>
internal static class SetsDelete
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "delete",
        Aliases = ["rm", "del"],
        Summary = "Delete a set file",
        Details = ["Its entries stay in force until \"couicctl sets reload\"."],
        Arguments = [CommonOptions.Policy, SetsCommands.Name],
        Options = [SetsCommands.Reload, GuardOptions.Force],
        Examples = ["couicctl sets delete drop blocklist"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        (Policy policy, string name, string path) = SetsCommands.Target(invocation);
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Delete(path + (policy == Policy.Ignore ? invocation.GuardedQuery() : ""));
        return SetsCommands.Announce(invocation, api, answer, $"Set '{name}' deleted");
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
        Details = ["Applies only the differences, in one step, and says how many. If a file is invalid, nothing changes and the answer names the line. "
            + "Without --force, nothing changes either if the files would lock you out, or if a set would lose all or most of its entries, as after a failed download."],
        Options = [GuardOptions.Force],
        Examples = ["couicctl sets reload"],
        Run = Run,
    };

    /// <summary>Reloads, and notes what has changed.</summary>
    public static ApiAnswer Send(Invocation invocation, ApiClient api)
    {
        string path = "/v1/sets/reload" + SetsCommands.ReloadQuery(invocation, api, "details=true");
        ApiAnswer answer = invocation.Noted(api.Send(HttpMethod.Post, path, limit: Limit));
        SetReloadRecord reload = api.Parse(answer, WireJson.Default.SetReloadRecord);
        foreach ((string policy, SetChanges? changes) in ((string, SetChanges?)[])[("drop", reload.Drop), ("ignore", reload.Ignore)])
        {
            if (changes is { Added: 0, Removed: 0, TakenOver: 0, Unchanged: 0 } or null || (invocation.IsJson && !invocation.Has(SetsCommands.Reload.Long)))
            {
                continue;
            }

            string taken = changes.TakenOver == 0 ? "" : $", {Quantity.Grouped(changes.TakenOver)} taken over";
            invocation.Note($"{policy}: {Quantity.Grouped(changes.Added)} added, {Quantity.Grouped(changes.Removed)} removed{taken}, {Quantity.Grouped(changes.Unchanged)} unchanged");
        }

        return answer;
    }

    private static int Run(Invocation invocation)
    {
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = Send(invocation, api);
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
        }
        else
        {
            invocation.Out.WriteLine("Sets reloaded successfully");
        }

        return ExitStatus.Success;
    }
}
