using System.Text;

namespace Couic.CommandLine;

/// <summary>Writes the help of one command; 80 columns wide at most.</summary>
internal static class HelpWriter
{
    private const int Width = 80;

    public static string Write(ParsedCommand parsed)
    {
        CommandSpec command = parsed.Command;
        var text = new StringBuilder();
        Wrap(text, command.Summary + ".", 0);
        text.Append("\nUsage: ").Append(Usage(parsed.PathText, command)).Append('\n');
        foreach (string paragraph in command.Details)
        {
            text.Append('\n');
            Wrap(text, paragraph, 0);
        }

        Section(text, "Commands", command.Commands.Where(c => !c.Hidden).Select(c => (c.Name, c.Summary)));
        Section(text, "Arguments", command.Arguments.Select(a => (a.Name, a.Summary)));
        Section(text, "Options", OptionsOf(parsed).Select(o => (o.Usage, Describe(o))));
        if (command.Examples.Length > 0)
        {
            text.Append("\nExamples:\n");
            foreach (string example in command.Examples)
            {
                text.Append("  ").Append(example).Append('\n');
            }
        }

        if (command.Commands.Length > 0)
        {
            text.Append("\nRun \"").Append(parsed.PathText).Append(" COMMAND --help\" for details.\n");
        }

        return text.ToString();
    }

    /// <summary>The line that shows how a command is called.</summary>
    public static string Usage(string path, CommandSpec command)
    {
        var text = new StringBuilder(path);
        foreach (OptionSpec option in command.Options.Where(o => o.Required))
        {
            text.Append(' ').Append(option.Short == 0 ? "--" + option.Long : "-" + option.Short).Append(' ').Append(option.ValueName);
        }

        if (command.Options.Any(o => !o.Required))
        {
            text.Append(" [OPTIONS]");
        }

        foreach (ArgumentSpec argument in command.Arguments)
        {
            text.Append(' ').Append(argument.Usage);
        }

        return command.Commands.Length == 0 ? text.ToString()
            : text.Append(command.Run is null ? " COMMAND" : " [COMMAND]").ToString();
    }

    /// <summary>The summary of an option with its default and conditions.</summary>
    public static string Describe(OptionSpec option)
    {
        string text = option.Summary;
        text += option.Required ? " (required)" : "";
        text += option.Default is null ? "" : $" [default: {option.Default}]";
        return text + (option.NotWith is null ? "" : $" (not with --{option.NotWith})");
    }

    private static IEnumerable<OptionSpec> OptionsOf(ParsedCommand parsed)
    {
        IEnumerable<OptionSpec> options = parsed.KnownOptions.Append(CommandLineParser.Help);
        return parsed.Path.Count == 1 ? options.Append(CommandLineParser.Version) : options;
    }

    private static void Section(StringBuilder text, string title, IEnumerable<(string Left, string Right)> rows)
    {
        var all = rows.ToList();
        if (all.Count == 0)
        {
            return;
        }

        int column = all.Max(r => r.Left.Length) + 4;
        text.Append('\n').Append(title).Append(":\n");
        foreach ((string left, string right) in all)
        {
            text.Append("  ").Append(left).Append(' ', column - 2 - left.Length);
            Wrap(text, right, column);
        }
    }

    /// <summary>Appends text that starts in a column and wraps to it.</summary>
    private static void Wrap(StringBuilder text, string paragraph, int column)
    {
        int at = column;
        foreach (string word in paragraph.Split(' '))
        {
            if (at > column && at + 1 + word.Length > Width)
            {
                text.Append('\n').Append(' ', column);
                at = column;
            }
            else if (at > column)
            {
                text.Append(' ');
                at++;
            }

            text.Append(word);
            at += word.Length;
        }

        text.Append('\n');
    }
}
