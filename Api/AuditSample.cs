using System.Globalization;
using System.Text;
using Couic.Store;

namespace Couic.Api;

/// <summary>The first of many changed entries, for one line of the log whose length is bounded. Not thread-safe.</summary>
internal sealed class AuditSample
{
    /// <summary>Entries that are named; 50 IPv6 hosts with tags come to about 5 KB.</summary>
    public const int MaxNamed = 50;

    private readonly StringBuilder _named = new();
    private long _count;
    private string _tag = string.Empty;

    public void Add(Cidr network, ReadOnlySpan<byte> tag, string policy = "")
    {
        if (_count++ >= MaxNamed)
        {
            return;
        }

        _named.Append(_count == 1 ? "" : ", ").Append(policy).Append(policy.Length > 0 ? " " : "").Append(network);
        string text = Encoding.UTF8.GetString(tag);
        if (text != _tag)
        {
            _tag = text;
            _named.Append(" (").Append(text.Length > 0 ? text : "untagged").Append(')');
        }
    }

    /// <summary><c>192.0.2.1/32 (tag), 192.0.2.2/32 and 49,945 more</c>: a tag holds for the entries that follow it.</summary>
    public override string ToString() => _count > MaxNamed
        ? string.Create(CultureInfo.InvariantCulture, $"{_named} and {_count - MaxNamed:N0} more")
        : _named.ToString();
}
