using System.Globalization;
using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;

namespace Couic.Cli.Commands;

/// <summary><c>clients</c>.</summary>
internal static class ClientsCommands
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "clients",
        Summary = "API clients: names, groups, tokens and rails",
        Details =
        [
            "Groups: admin may do everything; clientrw reads and writes entries and sets; clientro reads them; monitoring reads statistics; "
            + "peering sends the changes of another node.",
            "Rails limit what a token may change, should it leak. A refusal names the rail.",
        ],
        Commands = [ClientsAdd.Spec, ClientsInspect.Spec, ClientsList.Spec, ClientsDelete.Spec],
    };
}

/// <summary><c>clients list</c>.</summary>
internal static class ClientsList
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "list",
        Aliases = ["ls"],
        Summary = "List the clients with their rails",
        Options = [CommonOptions.Quiet("names"), new OptionSpec("show-tokens", '\0', null, "Print the tokens, too")],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Get("/v1/client");
        ClientRecord[] clients = api.Parse(answer, WireJson.Default.ClientRecordArray);
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
        }
        else if (invocation.Has("quiet"))
        {
            foreach (ClientRecord client in clients)
            {
                invocation.Out.WriteLine(Printable.Escape(client.Name));
            }
        }
        else
        {
            ClientsInspect.PrintTable(invocation, clients, invocation.Has("show-tokens"));
        }

        return ExitStatus.Success;
    }
}

/// <summary><c>clients inspect</c>.</summary>
internal static class ClientsInspect
{
    public static readonly ArgumentSpec Name = new("NAME", "Name of the client", ValueKind.ClientName);

    public static readonly CommandSpec Spec = new()
    {
        Name = "inspect",
        Aliases = ["show"],
        Summary = "Show a client and its token",
        Arguments = [Name],
        Examples = ["couicctl clients inspect fail2ban"],
        Run = Run,
    };

    /// <summary>Prints one client.</summary>
    public static void Print(Invocation invocation, ApiAnswer answer, ApiClient api)
    {
        ClientRecord client = api.Parse(answer, WireJson.Default.ClientRecord);
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
        }
        else
        {
            PrintTable(invocation, [client], showTokens: true);
        }
    }

    public static void PrintTable(Invocation invocation, IReadOnlyList<ClientRecord> clients, bool showTokens)
    {
        var columns = new List<Column<ClientRecord>>
        {
            new("Name", client => Printable.Escape(client.Name)),
            new("Group", client => Printable.Escape(client.Group)),
        };
        if (showTokens)
        {
            columns.Add(new("Token", client => Printable.Escape(client.Token)));
        }

        if (!showTokens || clients.Any(client => client.Rails is not null))
        {
            columns.Add(new("Rails", client => Printable.Escape(client.Rails is { } rails ? string.Join(' ', rails.Texts()) : "none")) { IsText = true });
        }

        Table.Write(invocation, clients, [.. columns]);
    }

    /// <exception cref="UsageException">The argument is not a name.</exception>
    public static string PathOf(string name)
    {
        CommonOptions.ThrowIfAny(NameArgument.Fault("client name", name));
        return "/v1/client/" + name;
    }

    private static int Run(Invocation invocation)
    {
        string path = PathOf(invocation.Argument(0));
        using ApiClient api = invocation.Connect();
        Print(invocation, api.Get(path), api);
        return ExitStatus.Success;
    }
}

/// <summary><c>clients add</c>.</summary>
internal static class ClientsAdd
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "add",
        Summary = "Create a client and print its token",
        Options =
        [
            new OptionSpec("name", 'n', "NAME", "1 to 48 ASCII letters, digits, \"-\" and \"_\"") { Required = true },
            new OptionSpec("group", 'g', "GROUP", "admin, clientrw, clientro, monitoring or peering") { Required = true, Kind = ValueKind.Group },
            new OptionSpec("policies", '\0', "POLICIES", "Policies that it may change, separated by commas"),
            new OptionSpec("min-prefix-v4", '\0', "N", "Widest IPv4 network that it may add, as a prefix length"),
            new OptionSpec("min-prefix-v6", '\0', "N", "Widest IPv6 network that it may add, as a prefix length"),
            new OptionSpec("max-ttl", '\0', "TIME", "Longest time for which it may add an entry; an expiry is then required"),
            new OptionSpec("max-entries", '\0', "N", "How many entries it may have"),
            new OptionSpec("rate", '\0', "N", "Changes per second"),
            new OptionSpec("burst", '\0', "N", "Changes at once after a pause (default: as --rate)"),
            new OptionSpec("tags", '\0', "PATTERNS", "Tags that it may give, and of entries that it may delete, separated by commas"),
            new OptionSpec("from", '\0', "CIDRS", "Networks from which the network listener accepts its token, separated by commas"),
        ],
        Examples =
        [
            "couicctl clients add -n fail2ban -g clientrw",
            "couicctl clients add -n detector -g clientrw --policies drop --min-prefix-v4 24 --max-ttl 1d --rate 50 --tags 'ids-*'",
        ],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        string name = invocation.Option("name")!, group = invocation.Option("group")!;
        RailsRecord? rails = RailsOptions.Parse(invocation, out List<string> faults);
        CommonOptions.ThrowIfAny([NameArgument.Fault("client name", name), NameArgument.GroupFault(group), .. faults]);
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Send(HttpMethod.Post, "/v1/client", new NewClient(name, group.ToLowerInvariant(), rails), WireJson.Default.NewClient);
        ClientsInspect.Print(invocation, answer, api);
        return ExitStatus.Success;
    }
}

/// <summary><c>clients delete</c>.</summary>
internal static class ClientsDelete
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "delete",
        Aliases = ["rm", "del", "remove"],
        Summary = "Remove a client; its token stops working at once",
        Arguments = [ClientsInspect.Name],
        Examples = ["couicctl clients delete fail2ban"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        string path = ClientsInspect.PathOf(invocation.Argument(0));
        using ApiClient api = invocation.Connect();
        api.Delete(path);
        if (invocation.IsJson)
        {
            IndentedJson.WriteObject(invocation, static json => json.WriteBoolean("deleted"u8, true));
        }

        return ExitStatus.Success;
    }
}

/// <summary>Rails in options. The daemon checks their values.</summary>
internal static class RailsOptions
{
    /// <summary>The rails of a command's options; null for none.</summary>
    public static RailsRecord? Parse(Invocation invocation, out List<string> faults)
    {
        var broken = faults = [];
        long? Number(string option)
        {
            if (invocation.Option(option) is not { } text)
            {
                return null;
            }

            if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number))
            {
                return number;
            }

            broken.Add($"--{option} \"{text}\" is not a number");
            return null;
        }

        long? Seconds(string option)
        {
            ulong seconds = 0;
            if (invocation.Option(option) is { } text && TimeArgument.TryParse(text, out seconds) is { } fault)
            {
                broken.Add(fault);
            }

            return seconds == 0 ? null : (long)Math.Min(seconds, long.MaxValue);
        }

        string[]? Words(string option) => invocation.Option(option)?.Split(',', StringSplitOptions.TrimEntries);

        var rails = new RailsRecord
        {
            Policies = Words("policies"),
            MinPrefixV4 = Number("min-prefix-v4"),
            MinPrefixV6 = Number("min-prefix-v6"),
            MaxTtl = Seconds("max-ttl"),
            MaxEntries = Number("max-entries"),
            Rate = Number("rate"),
            Burst = Number("burst"),
            Tags = Words("tags"),
            From = Words("from"),
        };
        return rails == new RailsRecord() ? null : rails;
    }
}
