using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Syntax;
using Couic.Http.Wire;

namespace Couic.Cli.Commands;

/// <summary><c>status</c>.</summary>
internal static class Status
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "status",
        Summary = "Show the daemon on one screen: version, interfaces, tables, peers, last reload",
        Options = [CommonOptions.Json],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Get("/v1/status");
        StatusRecord status = api.Parse(answer, WireJson.Default.StatusRecord);
        if (invocation.Has("json"))
        {
            IndentedJson.Write(invocation.Context.Output, answer.Body);
        }
        else
        {
            StatusScreen.Write(invocation.Out, status, (ulong)invocation.Context.Clock.GetUtcNow().ToUnixTimeSeconds());
        }

        return ExitStatus.Success;
    }
}
