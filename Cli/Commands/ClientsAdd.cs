using Couic.Cli.Api;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
using Couic.Http.Wire;

namespace Couic.Cli.Commands;

/// <summary><c>clients add</c>.</summary>
internal static class ClientsAdd
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "add",
        Summary = "Make a client and show its token",
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
