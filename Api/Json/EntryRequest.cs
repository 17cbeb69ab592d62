using System.Buffers;
using System.Text.Json;
using Couic.Store;

namespace Couic.Api.Json;

/// <summary>The body of <c>POST /v1/{policy}</c>, and one item of a bulk request. Points into the body it was read from.</summary>
internal ref struct EntryRequest
{
    public Cidr Cidr;
    public CidrFault CidrFault;

    /// <summary>Empty for none.</summary>
    public ReadOnlySpan<byte> Tag;

    public ulong Expiration;

    /// <summary>The <c>metadata</c> object, reduced to its three members, as JSON; null when there is none.</summary>
    public byte[]? Metadata;

    /// <summary>Why the entry exists; empty for none.</summary>
    public ReadOnlySpan<byte> Reason;

    /// <summary>The members that the item does not have.</summary>
    public EntryFields Absent;

    private bool _hasCidr;
    private bool _hasTag;
    private bool _hasExpiration;
    private bool _hasMetadata;
    private bool _hasReason;

    /// <summary>Reads an object, or an array of its members in order as clients of couic 1.x may send it.</summary>
    /// <param name="isPartial">Whether <c>expiration</c> may be absent.</param>
    /// <exception cref="JsonException">Not JSON, or not of these types.</exception>
    public static EntryRequest Read(ReadOnlySpan<byte> json, bool isPartial = false) =>
        EntryFastParser.TryRead(json, out EntryRequest request) ? request : ParseGeneral(json, isPartial);

    /// <inheritdoc cref="Read"/>
    internal static EntryRequest ParseGeneral(ReadOnlySpan<byte> json, bool isPartial = false)
    {
        EntryRequest request = default;
        Utf8JsonReader reader = StrictJson.Open(json);
        StrictJson.Next(ref reader);
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                request.ReadObject(ref reader, json, isPartial);
                break;
            case JsonTokenType.StartArray:
                request.ReadArray(ref reader, json);
                break;
            default:
                throw new JsonException("an object is expected");
        }

        StrictJson.End(ref reader);
        return request;
    }

    private void ReadObject(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json, bool isPartial)
    {
        while (true)
        {
            StrictJson.Next(ref reader);
            if (reader.TokenType == JsonTokenType.EndObject)
            {
                break;
            }

            if (reader.ValueTextEquals("cidr"u8))
            {
                StrictJson.Once(ref _hasCidr, "cidr");
                StrictJson.Next(ref reader);
                ReadCidr(ref reader);
            }
            else if (reader.ValueTextEquals("tag"u8))
            {
                StrictJson.Once(ref _hasTag, "tag");
                StrictJson.Next(ref reader);
                ReadTag(ref reader);
            }
            else if (reader.ValueTextEquals("expiration"u8))
            {
                StrictJson.Once(ref _hasExpiration, "expiration");
                StrictJson.Next(ref reader);
                Expiration = StrictJson.UInt64(ref reader, "expiration");
            }
            else if (reader.ValueTextEquals("metadata"u8))
            {
                StrictJson.Once(ref _hasMetadata, "metadata");
                StrictJson.Next(ref reader);
                Metadata = MetadataReader.Read(ref reader, json);
            }
            else if (reader.ValueTextEquals("reason"u8))
            {
                StrictJson.Once(ref _hasReason, "reason");
                StrictJson.Next(ref reader);
                Reason = reader.TokenType == JsonTokenType.Null ? default : StrictJson.Text(ref reader, "reason");
            }
            else
            {
                StrictJson.Next(ref reader);
                StrictJson.Skip(ref reader);
            }
        }

        StrictJson.Required(_hasCidr, "cidr");
        StrictJson.Required(_hasExpiration || isPartial, "expiration");
        Absent = (_hasTag ? 0 : EntryFields.Tag) | (_hasExpiration ? 0 : EntryFields.Expiration) | (_hasReason ? 0 : EntryFields.Reason);
    }

    private void ReadArray(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        StrictJson.Next(ref reader);
        ReadCidr(ref reader);
        StrictJson.Next(ref reader);
        ReadTag(ref reader);
        StrictJson.Next(ref reader);
        Expiration = StrictJson.UInt64(ref reader, "expiration");
        Absent = EntryFields.Reason;
        StrictJson.Next(ref reader);
        if (reader.TokenType != JsonTokenType.EndArray)
        {
            Metadata = MetadataReader.Read(ref reader, json);
            StrictJson.Next(ref reader);
            StrictJson.Expect(ref reader, JsonTokenType.EndArray, "an array of an entry has three or four members");
        }
    }

    private void ReadCidr(scoped ref Utf8JsonReader reader) =>
        CidrFault = Cidr.TryParse(StrictJson.Text(ref reader, "cidr"), out Cidr);

    private void ReadTag(scoped ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.Null)
        {
            Tag = StrictJson.Text(ref reader, "tag");
        }
    }
}

/// <summary>
/// Fast path for the body of an entry in its common form: an object of <c>cidr</c>, <c>tag</c>, <c>expiration</c> and <c>reason</c> in any
/// order, in printable ASCII without escapes. Leaves everything else, faults too, to <see cref="EntryRequest"/>, which
/// reads the common form as well, more slowly.
/// </summary>
internal ref struct EntryFastParser
{
    /// <summary>Digits of the largest number that is read here: so many cannot overflow.</summary>
    private const int MaxDigits = 18;

    private static readonly SearchValues<byte> Plain =
        SearchValues.Create([.. Enumerable.Range(' ', '~' - ' ' + 1).Select(c => (byte)c).Where(c => c is not ((byte)'"' or (byte)'\\'))]);

    private ReadOnlySpan<byte> _rest;
    private EntryRequest _request;
    private bool _hasCidr;
    private bool _hasTag;
    private bool _hasExpiration;
    private bool _hasReason;

    public static bool TryRead(ReadOnlySpan<byte> json, out EntryRequest request)
    {
        var reader = new EntryFastParser { _rest = json };
        bool isRead = reader.TryReadMembers() && reader._hasCidr && reader._hasExpiration;
        request = reader._request;
        request.Absent = (reader._hasTag ? 0 : EntryFields.Tag) | (reader._hasReason ? 0 : EntryFields.Reason);
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

        if (name.SequenceEqual("reason"u8) && !_hasReason)
        {
            return _hasReason = TryTakeNull() || TryReadText(out _request.Reason);
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
