using Couic.Cli.Api;
using Couic.Cli.Syntax;

namespace Couic.Cli.Commands;

/// <summary><c>sets reload</c>.</summary>
internal static class SetsReload
{
    /// <summary>Half a million lines are read, checked and compared before the answer.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    public static readonly CommandSpec Spec = new()
    {
        Name = "reload",
        Summary = "Bring the files of all sets into force",
        Details = ["In one step and only where they differ from what is in force. If any file is bad nothing changes, and the answer names the line. "
            + "Nothing changes either, without --force, when the files would lock you out, or when a set would lose all or most of its entries, as after a failed download."],
        Options = [GuardOptions.Force],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        using ApiClient api = invocation.Connect();
        invocation.Noted(api.Send(HttpMethod.Post, "/v1/sets/reload" + SetsCommands.ReloadQuery(invocation, api), limit: Limit));
        invocation.Out.WriteLine("Sets reloaded successfully");
        return ExitStatus.Success;
    }
}
