using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Couic.Http;
using Couic.Sets;
using Couic.Store;

namespace Couic.Api.Json;

/// <summary>The body of <c>POST /v1/sets/{policy}</c> and of <c>PUT /v1/sets/{policy}/{name}</c>.</summary>
/// <param name="maxEntries">Entries of each address family that are kept.</param>
internal sealed class SetRequest(int maxEntries)
{
    private readonly int[] _counts = new int[2];
    private bool _hasName;
    private bool _hasEntries;

    public string Name { get; private set; } = string.Empty;

    /// <summary>The valid ones; with host bits, order and duplicates.</summary>
    public List<Cidr> Entries { get; } = [];

    /// <summary>Indices and faults of the invalid ones, the first thousand.</summary>
    public List<(int Index, CidrFault Fault)> Faults { get; } = [];

    /// <summary>The family of which there are more entries than the table takes; null when all fit.</summary>
    public IpFamily? Surplus { get; private set; }

    /// <summary>Faults that are reported: a large body could have millions.</summary>
    private const int MaxFaults = 1000;

    /// <exception cref="JsonException">Not JSON, or not of these types.</exception>
    public static SetRequest Read(ReadOnlySpan<byte> json, int maxEntries)
    {
        var request = new SetRequest(maxEntries);
        Utf8JsonReader reader = StrictJson.Open(json);
        StrictJson.Next(ref reader);
        StrictJson.Expect(ref reader, JsonTokenType.StartObject, "an object is expected");
        while (true)
        {
            StrictJson.Next(ref reader);
            if (reader.TokenType == JsonTokenType.EndObject)
            {
                break;
            }

            request.ReadMember(ref reader);
        }

        StrictJson.End(ref reader);
        StrictJson.Required(request._hasName, "name");
        StrictJson.Required(request._hasEntries, "entries");
        return request;
    }

    /// <summary>The field name of an entry in error bodies.</summary>
    public static string Field(int index) => string.Create(CultureInfo.InvariantCulture, $"entries[{index}]");

    private void ReadMember(scoped ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("name"u8))
        {
            StrictJson.Once(ref _hasName, "name");
            StrictJson.Next(ref reader);
            Name = Encoding.UTF8.GetString(StrictJson.Text(ref reader, "name"));
        }
        else if (reader.ValueTextEquals("entries"u8))
        {
            StrictJson.Once(ref _hasEntries, "entries");
            StrictJson.Next(ref reader);
            ReadEntries(ref reader);
        }
        else
        {
            StrictJson.Next(ref reader);
            StrictJson.Skip(ref reader);
        }
    }

    private void ReadEntries(scoped ref Utf8JsonReader reader)
    {
        StrictJson.Expect(ref reader, JsonTokenType.StartArray, "entries must be an array");
        for (int i = 0; ; i++)
        {
            StrictJson.Next(ref reader);
            if (reader.TokenType == JsonTokenType.EndArray)
            {
                return;
            }

            CidrFault fault = Cidr.TryParse(StrictJson.Text(ref reader, "each entry"), out Cidr cidr);
            fault = fault == CidrFault.None && cidr.HasStrayHostBits ? CidrFault.StrayHostBits : fault; // the file would be invalid
            if (fault == CidrFault.None && ++_counts[(int)cidr.Family] <= maxEntries)
            {
                Entries.Add(cidr);
            }
            else if (fault == CidrFault.None)
            {
                Surplus = cidr.Family;
            }
            else if (Faults.Count < MaxFaults)
            {
                Faults.Add((i, fault));
            }
        }
    }
}

/// <summary>A set in an answer, written in pieces from the text of its file, every line of which must be valid.</summary>
internal sealed class SetAnswer(string name, ReadOnlyMemory<byte> text, IReadOnlyList<string> warnings)
{
    private const int PieceBytes = 32 * 1024;

    private bool _isStarted;
    private bool _hasEntries;
    private int _next;

    /// <summary>Bytes of the whole answer.</summary>
    public static long Measure(string name, ReadOnlyMemory<byte> text, IReadOnlyList<string> warnings)
    {
        var answer = new SetAnswer(name, text, warnings);
        var scratch = new OutputBuffer();
        long length = 0;
        bool hasMore;
        do
        {
            hasMore = answer.WritePiece(scratch);
            length += scratch.Length;
            scratch.Clear();
        }
        while (hasMore);
        scratch.Release();
        return length;
    }

    /// <summary>Writes the next piece. False: that was the last.</summary>
    public bool WritePiece(IBufferWriter<byte> body)
    {
        if (!_isStarted)
        {
            _isStarted = true;
            body.Raw("{\"name\":"u8);
            body.String(name);
            body.Raw(",\"entries\":["u8);
        }

        var reader = new SetReader(text.Span[_next..]);
        while (text.Length - _next - reader.Remaining < PieceBytes && reader.Next())
        {
            _ = reader.TryParse(out Cidr cidr);
            body.Raw(_hasEntries ? ",\""u8 : "\""u8);
            body.Advance(cidr.Format(body.GetSpan(Cidr.MaxTextLength)));
            body.Raw("\""u8);
            _hasEntries = true;
        }

        _next = text.Length - reader.Remaining;
        if (_next < text.Length)
        {
            return true;
        }

        body.Raw("]"u8);
        Warnings.WriteMember(body, warnings);
        body.Raw("}"u8);
        return false;
    }
}
