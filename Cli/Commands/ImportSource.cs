using Couic.Cli.Values;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary>The good lines of a file to import; remembers the bad ones, and which line an item came from.</summary>
/// <param name="objection">Why a network is not to be sent; null when it may be.</param>
internal sealed class ImportSource(CidrLines lines, Func<Cidr, string?> objection)
{
    /// <summary>Item numbers at which the distance between an item and its line changes, with the line.</summary>
    private readonly List<(ulong Index, int Line)> _jumps = [];

    public ImportRejections Rejections { get; } = new();

    /// <summary>How many good lines there were so far.</summary>
    public int Sent { get; private set; }

    /// <summary>Tag and expiration that the last good line gives itself, as JSON members; null for those of the command.</summary>
    public string? Members => lines.Members;

    /// <summary>Bytes of the file that were read.</summary>
    public long Position => lines.Position;

    public bool TryNext(out Cidr cidr)
    {
        while (lines.TryNext(allowBareAddress: true, out cidr, out string? fault))
        {
            fault ??= objection(cidr);
            if (fault is not null)
            {
                Rejections.Add(lines.Number, fault);
                continue;
            }

            if (_jumps.Count == 0 || (int)((ulong)Sent - _jumps[^1].Index) + _jumps[^1].Line != lines.Number)
            {
                _jumps.Add(((ulong)Sent, lines.Number));
            }

            Sent++;
            return true;
        }

        return false;
    }

    /// <summary>The line that an item was on; both numbers as people see them, the line from 1 and the item from 0.</summary>
    public int LineOf(ulong index)
    {
        int at = _jumps.FindLastIndex(j => j.Index <= index);
        return at < 0 ? 0 : _jumps[at].Line + (int)(index - _jumps[at].Index);
    }
}
