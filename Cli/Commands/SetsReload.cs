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
        Details = ["In one step and only where they differ from what is in force. If any file is bad nothing changes, and the answer names the line."],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        using ApiClient api = invocation.Connect();
        api.Send(HttpMethod.Post, "/v1/sets/reload", limit: Limit);
        invocation.Out.WriteLine("Sets reloaded successfully");
        return ExitStatus.Success;
    }
}
