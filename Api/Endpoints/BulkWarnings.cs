using System.Globalization;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>What a bulk request is warned of: the first objections of the guard in full, everything else as a count. Not thread-safe.</summary>
internal sealed class BulkWarnings
{
    /// <summary>Objections that are listed; the others are counted.</summary>
    private const int MaxListed = 100;

    private readonly List<string> _listed = [];
    private long _unlisted;
    private long _mapped;
    private long _ignored;
    private long _stray;
    private long _broad;

    /// <summary>Adds an objection; false when it is only counted.</summary>
    public bool Add(string text)
    {
        bool isListed = _listed.Count < MaxListed;
        if (isListed)
        {
            _listed.Add(text);
        }
        else
        {
            _unlisted++;
        }

        return isListed;
    }

    /// <summary>Counts what else there is to say of an addition.</summary>
    public void Note(LockoutGuard guard, Policy policy, Cidr cidr)
    {
        _mapped += cidr.IsV4Mapped ? 1 : 0;
        _stray += cidr.HasStrayHostBits ? 1 : 0;
        _ignored += policy == Policy.Drop && guard.IsIgnored(cidr.Network) ? 1 : 0;
        _broad += policy == Policy.Ignore && LockoutGuard.WarningOfIgnore(cidr.Network) is not null ? 1 : 0;
    }

    public List<string> Texts(Policy policy)
    {
        var texts = new List<string>(_listed);
        AddCount(texts, _unlisted, "more of such items");
        AddCount(texts, _ignored, "items are in ignore, which wins: their addresses still pass");
        AddCount(texts, _mapped, "items are IPv4-mapped: they are IPv6 entries and match no IPv4 packet");
        AddCount(texts, _stray, "items have host bits set below a short prefix, and cover more than they seem to");
        AddCount(texts, _broad, $"items cover a quarter of all addresses or more: in {policy.Name()} they switch the filter off for those");
        return texts;
    }

    private static void AddCount(List<string> texts, long count, string what)
    {
        if (count > 0)
        {
            texts.Add(string.Create(CultureInfo.InvariantCulture, $"{count} {what}"));
        }
    }
}
