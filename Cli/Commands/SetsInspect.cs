using Couic.Cli.Api;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
using Couic.Http.Wire;

namespace Couic.Cli.Commands;

/// <summary><c>sets inspect</c>.</summary>
internal static class SetsInspect
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "inspect",
        Summary = "Show the entries of a set's file",
        Arguments = [CommonOptions.Policy, SetsCommands.Name],
        Examples = ["couicctl sets inspect drop blocklist"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        string path = SetsCommands.Target(invocation).Path;
        using ApiClient api = invocation.Connect();
        SetRecord set = api.Parse(api.Get(path), WireJson.Default.SetRecord);
        invocation.Out.WriteLine($"Set: {Printable.Escape(set.Name)}");
        invocation.Out.WriteLine($"Entry count: {set.Entries.Length}");
        invocation.Out.WriteLine("Entries:");
        foreach (string entry in set.Entries)
        {
            invocation.Out.WriteLine($"\t{Printable.Escape(entry)}");
        }

        return ExitStatus.Success;
    }
}
