using System.Globalization;
using System.Text;
using Couic.Cli;
using Couic.Cli.Syntax;
using Couic.Config;
using Couic.Daemon;

namespace Couic.Man;

/// <summary>The parts of the pages that come from the program's tables, at <c>&lt;!-- NAME --&gt;</c>.</summary>
internal static class Insertions
{
    public static string Fill(string page) => page
        .Replace("<!-- commands -->", Commands(), StringComparison.Ordinal)
        .Replace("<!-- verbs -->", Verbs(), StringComparison.Ordinal)
        .Replace("<!-- keys -->", SettingsSchema.Markdown(), StringComparison.Ordinal);

    private static string Verbs()
    {
        var text = new StringBuilder("| command | does |\n| --- | --- |\n");
        foreach ((string name, string help) in CommandLine.Verbs)
        {
            text.Append(CultureInfo.InvariantCulture, $"| `{name}` | {Cell(help)} |\n");
        }

        return text.ToString();
    }

    private static string Commands()
    {
        var text = new StringBuilder();
        foreach (CommandSpec command in CouicctlCommands.Root.Commands.Where(c => !c.Hidden))
        {
            Append(text, CouicctlCommands.Root.Name, command);
        }

        return text.ToString();
    }

    private static void Append(StringBuilder text, string above, CommandSpec command)
    {
        string path = $"{above} {command.Name}";
        if (command.Run is not null)
        {
            text.Append(CultureInfo.InvariantCulture, $"### {HelpWriter.Usage(path, command)}\n\n{command.Summary}.\n\n");
            foreach (string paragraph in command.Details)
            {
                text.Append(paragraph).Append("\n\n");
            }

            Rows(text, command);
            foreach (string example in command.Examples)
            {
                text.Append("    ").Append(example).Append('\n');
            }

            text.Append('\n');
        }

        foreach (CommandSpec child in command.Commands.Where(c => !c.Hidden))
        {
            Append(text, path, child);
        }
    }

    private static void Rows(StringBuilder text, CommandSpec command)
    {
        if (command.Arguments.Length + command.Options.Length == 0)
        {
            return;
        }

        text.Append("| word | meaning |\n| --- | --- |\n");
        foreach (ArgumentSpec argument in command.Arguments)
        {
            text.Append(CultureInfo.InvariantCulture, $"| *{argument.Name}* | {Cell(argument.Summary)} |\n");
        }

        foreach (OptionSpec option in command.Options)
        {
            text.Append(CultureInfo.InvariantCulture, $"| `{option.Usage.Trim()}` | {Cell(HelpWriter.Describe(option))} |\n");
        }

        text.Append('\n');
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);
}
