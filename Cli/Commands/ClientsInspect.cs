using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
using Couic.Http.Wire;

namespace Couic.Cli.Commands;

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

    /// <summary>Shows an answer that is one client.</summary>
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

    /// <exception cref="UsageException">It is no name.</exception>
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
