using System.Globalization;
using System.Text;
using Couic.Cli;
using Couic.CommandLine;
using Couic.Config;
using Couic.Daemon;
using Couic.Reporting;

namespace Couic.Man;

/// <summary>The parts of the pages that come from the program's tables, at <c>&lt;!-- NAME --&gt;</c>.</summary>
internal static class Insertions
{
    private static readonly CommandSpec[] Programs = [CouicctlCommands.Root, CouicCommands.Root, ReceiverMain.Root];

    public static string Fill(string page)
    {
        foreach (CommandSpec program in Programs)
        {
            page = page
                .Replace($"<!-- commands of {program.Name} -->", Commands(program), StringComparison.Ordinal)
                .Replace($"<!-- options of {program.Name} -->", Options(program), StringComparison.Ordinal);
        }

        return page.Replace("<!-- keys -->", SettingsSchema.Markdown(), StringComparison.Ordinal);
    }

    private static string Options(CommandSpec program)
    {
        var text = new StringBuilder();
        AppendRows(text, [], [.. program.Options, CommandLineParser.Help, CommandLineParser.Version]);
        return text.ToString();
    }

    private static string Commands(CommandSpec program)
    {
        var text = new StringBuilder();
        foreach (CommandSpec command in program.Commands.Where(c => !c.Hidden))
        {
            Append(text, program.Name, command);
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

            AppendRows(text, command.Arguments, command.Options);
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

    private static void AppendRows(StringBuilder text, ArgumentSpec[] arguments, OptionSpec[] options)
    {
        if (arguments.Length + options.Length == 0)
        {
            return;
        }

        text.Append("| word | meaning |\n| --- | --- |\n");
        foreach (ArgumentSpec argument in arguments)
        {
            text.Append(CultureInfo.InvariantCulture, $"| *{argument.Name}* | {Cell(argument.Summary)} |\n");
        }

        foreach (OptionSpec option in options)
        {
            text.Append(CultureInfo.InvariantCulture, $"| `{option.Usage.Trim()}` | {Cell(HelpWriter.Describe(option))} |\n");
        }

        text.Append('\n');
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);
}
