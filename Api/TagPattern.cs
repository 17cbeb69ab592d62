using System.Text;

namespace Couic.Api;

/// <summary>A tag to look for: exact, or with <c>*</c> at either end. Empty means untagged.</summary>
internal readonly struct TagPattern
{
    private readonly byte[] _core;
    private readonly bool _before;
    private readonly bool _after;

    public TagPattern(string pattern)
    {
        _before = pattern.StartsWith('*');
        _after = pattern.Length > (_before ? 1 : 0) && pattern.EndsWith('*');
        _core = Encoding.UTF8.GetBytes(pattern[(_before ? 1 : 0)..(pattern.Length - (_after ? 1 : 0))]);
    }

    /// <summary>Several patterns, separated by commas: any of them may match.</summary>
    public static Predicate<byte[]> AnyOf(string patterns)
    {
        TagPattern[] all = Array.ConvertAll(patterns.Split(','), pattern => new TagPattern(pattern));
        return tag => Array.Exists(all, pattern => pattern.Matches(tag));
    }

    public bool Matches(ReadOnlySpan<byte> tag) => (_before, _after) switch
    {
        (false, false) => tag.SequenceEqual(_core),
        (true, false) => tag.EndsWith(_core),
        (false, true) => tag.StartsWith(_core),
        _ => tag.IndexOf(_core) >= 0,
    };
}
