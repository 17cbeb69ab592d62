using Couic.Cli.Syntax;

namespace Couic.Cli.Commands;

/// <summary><c>clients</c>.</summary>
internal static class ClientsCommands
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "clients",
        Summary = "Who may use the API: names, groups and tokens",
        Details =
        [
            "Groups: admin may do everything; clientrw reads and writes entries and sets; clientro reads them; monitoring reads statistics; "
            + "peering sends the changes of another node.",
        ],
        Commands = [ClientsAdd.Spec, ClientsInspect.Spec, ClientsList.Spec, ClientsDelete.Spec],
    };
}
