using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using Couic.Api.Access;
using Couic.Http;
using Couic.Store;

namespace Couic.Api.Events;

/// <summary>Which events a client wants and may see.</summary>
internal sealed class EventFilter
{
    private int _types;

    public Policy? Policy { get; init; }

    /// <summary>Any of them may match; null for all tags.</summary>
    public TagPattern[]? Tags { get; init; }

    public bool IsEmpty => _types == 0;

    /// <summary>Whether it lets every event pass.</summary>
    public bool IsOpen => _types == (1 << EventWords.Types.Length) - 1 && Policy is null && Tags is null;

    public bool Has(EventType type) => (_types & (1 << (int)type)) != 0;

    public void Add(EventType type) => _types |= 1 << (int)type;

    public bool Matches(in ApiEvent one) =>
        Has(one.Type)
        && (Policy is null || one.Policy == Policy)
        && (Tags is null || (one.Type is EventType.Rule or EventType.Set && MatchesTag(one.Tag.Span)));

    private bool MatchesTag(ReadOnlySpan<byte> tag)
    {
        foreach (TagPattern pattern in Tags!)
        {
            if (pattern.Matches(tag))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>One client of the stream. Its cursor belongs to the thread of the hub once it is added.</summary>
internal sealed class EventListener(Exchange exchange, Client client, EventFilter filter, bool isLines)
{
    private volatile bool _isSending;
    private volatile bool _isRevoked;

    public Exchange Exchange => exchange;

    public Client Client => client;

    public EventFilter Filter => filter;

    /// <summary>Whether it is sent one JSON object per line; otherwise server-sent events.</summary>
    public bool IsLines => isLines;

    /// <summary>Number of the next event that it has not seen.</summary>
    public long Cursor { get; set; }

    /// <summary>Whether it asked to resume after an event that this daemon did not send.</summary>
    public bool HasUnknownLoss { get; set; }

    /// <summary>Whether it has received the position at which it begins.</summary>
    public bool IsGreeted { get; set; }

    /// <summary>When something was last written to it, in timestamps.</summary>
    public long WrittenAt { get; set; }

    /// <summary>Whether it has yet to take what was sent.</summary>
    public bool IsSending { get => _isSending; set => _isSending = value; }

    /// <summary>Whether its client is gone, or has another token or group.</summary>
    public bool IsRevoked { get => _isRevoked; set => _isRevoked = value; }
}

/// <summary>Events in their text, numbered from <see cref="First"/>; each is formatted once for all listeners. Not thread-safe.</summary>
internal sealed class EventWindow(byte[] prefix)
{
    public const int Capacity = 128;

    private readonly ApiEvent[] _events = new ApiEvent[Capacity];
    private readonly int[] _starts = new int[Capacity + 1];
    private readonly int[] _objects = new int[Capacity];
    private readonly OutputBuffer _text = new(BufferPool.Working);
    private int _count;

    public long First { get; private set; }

    public long End => First + _count;

    public bool Contains(long number) => number >= First && number < End;

    /// <summary>Where to copy the events to; <see cref="Format"/> follows.</summary>
    public Span<ApiEvent> Begin(long first, int count)
    {
        First = first;
        _count = count;
        return _events.AsSpan(0, count);
    }

    public void Format()
    {
        _text.Clear();
        for (int i = 0; i < _count; i++)
        {
            ref readonly ApiEvent one = ref _events[i];
            _starts[i] = _text.Length;
            _text.Append("id: "u8);
            WriteId(_text, First + i);
            _text.Append("\nevent: "u8);
            _text.Append(one.Type.Word());
            _text.Append("\ndata: "u8);
            _objects[i] = _text.Length;
            _text.Append("{\"id\":\""u8);
            WriteId(_text, First + i);
            _text.Append("\""u8);
            one.WriteMembers(_text);
            _text.Append("\n\n"u8);
        }

        _starts[_count] = _text.Length;
    }

    /// <summary>Writes the events from a number on that a listener wants.</summary>
    public void Write(IBufferWriter<byte> body, long from, EventFilter filter, bool isLines)
    {
        int index = (int)(from - First);
        if (filter.IsOpen && !isLines)
        {
            body.Write(_text.Written[_starts[index].._starts[_count]]);
            return;
        }

        for (; index < _count; index++)
        {
            if (filter.Matches(_events[index]))
            {
                // A line is the object with the first of the two line ends.
                body.Write(isLines ? _text.Written[_objects[index]..(_starts[index + 1] - 1)] : _text.Written[_starts[index].._starts[index + 1]]);
            }
        }
    }

    /// <summary>Releases the memory of the text, and forgets the events.</summary>
    public void Release()
    {
        _text.Release();
        Array.Clear(_events);
        _count = 0;
    }

    public void WriteId(IBufferWriter<byte> writer, long number)
    {
        writer.Write(prefix);
        writer.Number(number);
    }

    /// <summary>The number in an id of this daemon; false for any other text.</summary>
    public static bool TryReadId(ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> id, out long number)
    {
        number = 0;
        return id.StartsWith(prefix) && Utf8Parser.TryParse(id[prefix.Length..], out number, out int used)
            && used == id.Length - prefix.Length && number >= 0;
    }

    /// <summary>The start of all ids of a daemon that started at a moment.</summary>
    public static byte[] Prefix(DateTimeOffset started) =>
        System.Text.Encoding.ASCII.GetBytes(started.ToUnixTimeMilliseconds().ToString("x", CultureInfo.InvariantCulture) + "-");
}
