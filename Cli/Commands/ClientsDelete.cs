using Couic.Cli.Api;
using Couic.Cli.Syntax;

namespace Couic.Cli.Commands;

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
