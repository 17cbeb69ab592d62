using System.Text;

namespace Couic.Cli.Values;

/// <summary>
/// PATTERNS of <c>list --tags</c>: comma-separated, any may match; <c>*</c> at the start or the end is a wildcard, elsewhere
/// literal; an empty pattern matches untagged entries.
/// </summary>
internal sealed class TagPatterns
{
    private readonly Pattern[] _patterns;

    private TagPatterns(Pattern[] patterns) => _patterns = patterns;

    public static TagPatterns Parse(string text) => new(Array.ConvertAll(text.Split(','), p => Pattern.Parse(p.Trim())));

    /// <param name="tag">UTF-8; empty for none.</param>
    public bool Match(ReadOnlySpan<byte> tag)
    {
        foreach (Pattern pattern in _patterns)
        {
            if (pattern.Match(tag))
            {
                return true;
            }
        }

        return false;
    }

    private sealed record Pattern(byte[] Text, bool OpenStart, bool OpenEnd)
    {
        public static Pattern Parse(string text)
        {
            bool openStart = text.StartsWith('*');
            string rest = openStart ? text[1..] : text;
            bool openEnd = rest.EndsWith('*');
            rest = openEnd ? rest[..^1] : rest;

            // A single asterisk matches everything.
            return new Pattern(Encoding.UTF8.GetBytes(rest), openStart, openEnd || (openStart && rest.Length == 0));
        }

        public bool Match(ReadOnlySpan<byte> tag) => (OpenStart, OpenEnd) switch
        {
            (true, true) => tag.IndexOf(Text) >= 0,
            (true, false) => tag.EndsWith(Text),
            (false, true) => tag.StartsWith(Text),
            _ => tag.SequenceEqual(Text),
        };
    }
}
