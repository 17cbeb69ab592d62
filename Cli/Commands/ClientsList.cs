using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
using Couic.Http.Wire;

namespace Couic.Cli.Commands;

/// <summary><c>clients list</c>.</summary>
internal static class ClientsList
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "list",
        Summary = "List the clients with their tokens",
        Options = [new OptionSpec("quiet", 'q', null, "Print only the names, one a line"), CommonOptions.JsonNotQuiet],
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
