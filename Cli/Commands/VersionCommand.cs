using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;

namespace Couic.Cli.Commands;

/// <summary><c>version</c>: of couicctl and of the daemon.</summary>
internal static class VersionCommand
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "version",
        Summary = "Show the versions of couicctl and of the daemon",
        Details = ["Without a daemon it shows that of couicctl, and the exit status is 3. \"couicctl --version\" asks no daemon."],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        string separator = invocation.Style.Format == OutputFormat.Tsv ? "\t" : " ";
        if (!invocation.IsJson)
        {
            invocation.Out.WriteLine($"couicctl{separator}{ProductVersion.Text}"); // known even if no daemon answers
        }

        using ApiClient api = invocation.Connect();
        string daemon = api.Parse(api.Get("/v1/status"), WireJson.Default.StatusRecord).Version;
        if (invocation.IsJson)
        {
            IndentedJson.WriteObject(invocation, json =>
            {
                json.WriteString("couicctl"u8, ProductVersion.Text);
                json.WriteString("daemon"u8, daemon);
            });
        }
        else
        {
            invocation.Out.WriteLine($"daemon{separator.PadRight(separator == " " ? 3 : 1)}{Printable.Escape(daemon)}");
        }

        return ExitStatus.Success;
    }
}
