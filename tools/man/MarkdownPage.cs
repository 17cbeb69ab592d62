using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Couic.Cli;
using Couic.CommandLine;

namespace Couic.Man;

/// <summary>
/// Turns one page of Markdown into man(7) macros: headings, paragraphs, lists, tables with two to four columns (as tagged
/// paragraphs), indented blocks, `literal`, **bold** and *italic*. That is all the pages use.
/// </summary>
internal sealed partial class MarkdownPage(string fileName)
{
    private readonly StringBuilder _out = new();

    public string Convert(string markdown)
    {
        string name = Path.GetFileNameWithoutExtension(fileName), section = Path.GetExtension(fileName)[1..];
        _out.Append(CultureInfo.InvariantCulture, $".\\\" Made from docs/man/{fileName}.md and the program's own tables.\n");
        _out.Append(CultureInfo.InvariantCulture, $".TH {Escape(name).ToUpperInvariant()} {section} \"\" \"couic {ProductVersion.Text}\" \"Couic manual\"\n");
        string[] lines = markdown.ReplaceLineEndings("\n").Split('\n');
        for (int i = 0; i < lines.Length;)
        {
            i = Block(lines, i);
        }

        return _out.ToString();
    }

    /// <summary>Writes the block that starts at a line; returns the line after it.</summary>
    private int Block(string[] lines, int at)
    {
        string line = lines[at];
        if (line.Length == 0)
        {
            return at + 1;
        }

        if (line.StartsWith('#'))
        {
            string title = line.TrimStart('#').Trim();
            _out.Append(line.StartsWith("###", StringComparison.Ordinal) ? ".SS " : ".SH ").Append(Inline(title)).Append('\n');
            return at + 1;
        }

        if (line.StartsWith("    ", StringComparison.Ordinal))
        {
            return Literal(lines, at);
        }

        if (line.StartsWith('|'))
        {
            return Rows(lines, at);
        }

        string tag = line.StartsWith("- ", StringComparison.Ordinal) ? ".IP \\(bu 2\n" : ".PP\n";
        _out.Append(tag);
        do
        {
            Text(Inline(lines[at].StartsWith("- ", StringComparison.Ordinal) ? lines[at][2..] : lines[at].Trim()));
            at++;
        }
        while (at < lines.Length && lines[at].Length > 0 && !lines[at].StartsWith("- ", StringComparison.Ordinal) && !lines[at].StartsWith('|'));
        return at;
    }

    private int Literal(string[] lines, int at)
    {
        _out.Append(".PP\n.RS 4\n.EX\n");
        for (; at < lines.Length && (lines[at].StartsWith("    ", StringComparison.Ordinal) || (lines[at].Length == 0 && Continues(lines, at))); at++)
        {
            Text(Escape(lines[at].Length == 0 ? "" : lines[at][4..]));
        }

        _out.Append(".EE\n.RE\n");
        return at;
    }

    private static bool Continues(string[] lines, int at) =>
        at + 1 < lines.Length && lines[at + 1].StartsWith("    ", StringComparison.Ordinal);

    /// <summary>The header and the line under it are for readers of the Markdown.</summary>
    private int Rows(string[] lines, int at)
    {
        for (at += 2; at < lines.Length && lines[at].StartsWith('|'); at++)
        {
            string[] cells = [.. CellEnd().Split(lines[at].Trim('|')).Select(c => c.Trim().Replace("\\|", "|", StringComparison.Ordinal))];
            string last = cells switch
            {
                [_, string text, { Length: > 0 } preset] => $"{text}. Default: {preset}.",
                [_, string values, string preset, string text] => $"{text} Values: {values}. {(preset == "required" ? "Required." : $"Default: {preset}.")}",
                _ => string.Join(". ", cells[1..]),
            };
            _out.Append(".TP\n");
            Text(Inline(cells[0]));
            Text(Inline(last));
        }

        return at;
    }

    /// <summary>A line that starts with a control character would be a macro.</summary>
    private void Text(string text) => _out.Append(text is ['.' or '\'', ..] ? "\\&" : "").Append(text).Append('\n');

    private static string Inline(string text)
    {
        text = Escape(text);
        text = LiteralText().Replace(text, "\\fB$1\\fR");
        text = BoldText().Replace(text, "\\fB$1\\fR");
        text = ItalicText().Replace(text, "\\fI$1\\fR");
        return LinkText().Replace(text, "$1");
    }

    private static string Escape(string text) => text.Replace("\\", "\\e", StringComparison.Ordinal).Replace("-", "\\-", StringComparison.Ordinal);

    [GeneratedRegex(@"(?<!\\)\|")]
    private static partial Regex CellEnd();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex LiteralText();

    [GeneratedRegex(@"\*\*([^*]+)\*\*")]
    private static partial Regex BoldText();

    [GeneratedRegex(@"(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])")]
    private static partial Regex ItalicText();

    [GeneratedRegex(@"\[([^\]]+)\]\([^)]+\)")]
    private static partial Regex LinkText();
}
