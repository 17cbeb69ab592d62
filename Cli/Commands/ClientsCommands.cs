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
        Summary = "API clients: names, groups and tokens",
        Details =
        [
            "Groups: admin may do everything; clientrw reads and writes entries and sets; clientro reads them; monitoring reads statistics; "
            + "peering sends the changes of another node.",
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
        Summary = "List the clients with their tokens",
        Options = [new OptionSpec("quiet", 'q', null, "Print only names, one per line"), CommonOptions.JsonNotQuiet],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Get("/v1/client");
        ClientRecord[] clients = api.Parse(answer, WireJson.Default.ClientRecordArray);
        if (invocation.Has("json"))
        {
            IndentedJson.Write(invocation.Context.Output, answer.Body);
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
            ClientsInspect.PrintTable(invocation.Out, clients);
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
        Summary = "Show a client and its token",
        Arguments = [Name],
        Options = [CommonOptions.Json],
        Examples = ["couicctl clients inspect fail2ban"],
        Run = Run,
    };

    private static readonly string[] Headers = ["Name", "Group", "Token"];

    /// <summary>Prints one client.</summary>
    public static void Print(Invocation invocation, ApiAnswer answer, ApiClient api)
    {
        ClientRecord client = api.Parse(answer, WireJson.Default.ClientRecord);
        if (invocation.Has("json"))
        {
            IndentedJson.Write(invocation.Context.Output, answer.Body);
        }
        else
        {
            PrintTable(invocation.Out, [client]);
        }
    }

    public static void PrintTable(TextWriter output, IReadOnlyList<ClientRecord> clients) =>
        Table.Write(output, Headers, clients, static (client, column) => Printable.Escape(column switch
        {
            0 => client.Name,
            1 => client.Group,
            _ => client.Token,
        }));

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
            CommonOptions.Json,
        ],
        Examples = ["couicctl clients add -n fail2ban -g clientrw"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        string name = invocation.Option("name")!, group = invocation.Option("group")!;
        CommonOptions.ThrowIfAny(NameArgument.Fault("client name", name), NameArgument.GroupFault(group));
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Send(HttpMethod.Post, "/v1/client", new NewClient(name, group.ToLowerInvariant()), WireJson.Default.NewClient);
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
        return ExitStatus.Success;
    }
}
