using System.Buffers;
using Couic.Store;

namespace Couic.Api.Json;

/// <summary>
/// Reads the body of an entry in the form in which nearly all are sent: an object of <c>cidr</c>, <c>tag</c> and <c>expiration</c> in any
/// order, in printable ASCII without escapes. Leaves everything else, faults too, to <see cref="EntryRequest"/>, which says the same
/// of these, more slowly.
/// </summary>
internal ref struct EntryFastParser
{
    /// <summary>Digits of the largest number that is read here: no sum of so many overflows.</summary>
    private const int MaxDigits = 18;

    private static readonly SearchValues<byte> Plain =
        SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (byte)c).Where(c => c is not ((byte)'"' or (byte)'\\'))]);

    private ReadOnlySpan<byte> _rest;
    private EntryRequest _request;
    private bool _hasCidr;
    private bool _hasTag;
    private bool _hasExpiration;

    public static bool TryRead(ReadOnlySpan<byte> json, out EntryRequest request)
    {
        var reader = new EntryFastParser { _rest = json };
        bool isRead = reader.TryReadMembers() && reader._hasCidr && reader._hasExpiration;
        request = reader._request;
        return isRead;
    }

    private bool TryReadMembers()
    {
        if (!TryTake((byte)'{'))
        {
            return false;
        }

        do
        {
            if (!TryReadText(out ReadOnlySpan<byte> name) || !TryTake((byte)':') || !TryReadMember(name))
            {
                return false;
            }
        }
        while (TryTake((byte)','));
        return TryTake((byte)'}') && _rest.IsEmpty;
    }

    private bool TryReadMember(ReadOnlySpan<byte> name)
    {
        if (name.SequenceEqual("cidr"u8) && !_hasCidr)
        {
            _hasCidr = TryReadText(out ReadOnlySpan<byte> cidr);
            _request.CidrFault = Cidr.TryParse(cidr, out _request.Cidr);
            return _hasCidr;
        }

        if (name.SequenceEqual("tag"u8) && !_hasTag)
        {
            return _hasTag = TryTakeNull() || TryReadText(out _request.Tag);
        }

        return name.SequenceEqual("expiration"u8) && !_hasExpiration && (_hasExpiration = TryReadNumber(out _request.Expiration));
    }

    private bool TryTake(byte wanted)
    {
        SkipBlanks();
        if (_rest.IsEmpty || _rest[0] != wanted)
        {
            return false;
        }

        _rest = _rest[1..];
        SkipBlanks();
        return true;
    }

    private bool TryTakeNull()
    {
        bool isNull = _rest.StartsWith("null"u8);
        _rest = isNull ? _rest[4..] : _rest;
        return isNull;
    }

    private void SkipBlanks()
    {
        while (!_rest.IsEmpty && _rest[0] == ' ')
        {
            _rest = _rest[1..];
        }
    }

    private bool TryReadText(out ReadOnlySpan<byte> text)
    {
        text = default;
        if (_rest.IsEmpty || _rest[0] != '"')
        {
            return false;
        }

        int end = _rest[1..].IndexOfAnyExcept(Plain);
        if (end < 0 || _rest[end + 1] != '"')
        {
            return false;
        }

        text = _rest.Slice(1, end);
        _rest = _rest[(end + 2)..];
        return true;
    }

    private bool TryReadNumber(out ulong number)
    {
        number = 0;
        int length = 0;
        for (; length < _rest.Length && _rest[length] is >= (byte)'0' and <= (byte)'9'; length++)
        {
            number = (number * 10) + _rest[length] - '0';
        }

        bool isPlain = length is > 0 and <= MaxDigits && (_rest[0] != '0' || length == 1);
        _rest = _rest[length..];
        return isPlain;
    }
}
