using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;

namespace Couic.Cli.Commands;

/// <summary><c>status</c>.</summary>
internal static class Status
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "status",
        Summary = "Show the daemon on one screen: version, interfaces, tables, peers, last reload",
        Details =
        [
            "With --check it prints one line per fault with what to do, and nothing otherwise. The exit status is 0 when every interface "
            + "is filtered, sets and configuration are loaded as they stand on disk, no table is full, peers hold the same rules, and kernel and daemon "
            + "agree; 1 otherwise; 3 when the daemon cannot be reached.",
        ],
        Options = [new OptionSpec("check", '\0', null, "Report health by the exit status, and name each fault")],
        Examples = ["couicctl status", "couicctl status --check"],
        Run = Run,
    };

    private static int Run(Invocation invocation) => invocation.Has("check") ? Check(invocation) : Show(invocation);

    private static int Check(Invocation invocation)
    {
        try
        {
            using ApiClient api = invocation.Connect();
            ApiAnswer answer = api.Get("/v1/status");
            StatusRecord status = api.Parse(answer, WireJson.Default.StatusRecord);
            if (status.Health is null)
            {
                throw new CliException($"the daemon at {api.Endpoint.Display} does not tell its health (is it an older version?)");
            }

            if (invocation.IsJson)
            {
                IndentedJson.WriteResult(invocation, answer.Body);
            }
            else
            {
                foreach (FaultStatus fault in status.Faults ?? [])
                {
                    invocation.Out.WriteLine(Printable.Escape(fault.Message));
                }
            }

            return status.Health == "ok" ? ExitStatus.Success : ExitStatus.Failure;
        }
        catch (CliException e)
        {
            throw new CliException(e.Messages) { ExitStatus = ExitStatus.Unreachable };
        }
    }

    private static int Show(Invocation invocation)
    {
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Get("/v1/status");
        StatusRecord status = api.Parse(answer, WireJson.Default.StatusRecord);
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
        }
        else
        {
            StatusScreen.Write(invocation, status, (ulong)invocation.Context.Clock.GetUtcNow().ToUnixTimeSeconds());
        }

        return ExitStatus.Success;
    }
}
