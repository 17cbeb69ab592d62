using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;

namespace Couic.Cli.Commands;

/// <summary><c>reload</c>.</summary>
internal static class Reload
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    public static readonly CommandSpec Spec = new()
    {
        Name = "reload",
        Summary = "Reload the configuration and the sets",
        Details =
        [
            "Does what SIGHUP does: sets, peers, reporting, log level and rotation change; rules that were added stay. "
            + "What needs a restart is named.",
        ],
        Options = [GuardOptions.Force],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = invocation.Noted(api.Send(HttpMethod.Post, "/v1/reload" + SetsCommands.ReloadQuery(invocation, api), limit: Limit));
        ReloadRecord result = api.Parse(answer, WireJson.Default.ReloadRecord);
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
            return ExitStatus.Success;
        }

        invocation.Out.WriteLine("Configuration and sets reloaded");
        if (!string.IsNullOrEmpty(result.Message))
        {
            invocation.Out.WriteLine($"Note: {Printable.Escape(result.Message)}");
        }

        return ExitStatus.Success;
    }
}
