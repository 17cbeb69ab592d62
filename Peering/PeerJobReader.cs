using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// Reads <c>[{"action", "entry": {"cidr", "tag"?, "expiration", "metadata"?, "reason"?}}, …]</c>, and the members that couic 2 adds:
/// <c>stamp</c> and <c>node</c> (the version), <c>ttl</c> (milliseconds left) and <c>sent</c>. Unknown members are ignored; a
/// known member twice is a fault. The whole body is read before any job is applied.
/// </summary>
public static class PeerJobReader
{
    /// <param name="message">What is wrong, and where.</param>
    public static PeerBodyFault TryRead(ReadOnlyMemory<byte> body, out IncomingBatch batch, out string message)
    {
        batch = new IncomingBatch([], null);
        message = "the body is not JSON";
        var run = new PeerJobRun(body);
        try
        {
            if (!Utf8.IsValid(body.Span))
            {
                return PeerBodyFault.NotJson;
            }

            var reader = new Utf8JsonReader(body.Span);
            bool good = run.TryReadArray(ref reader);
            while (PeerJobRun.Next(ref reader))
            {
                // The rest after the first fault only has to be JSON.
            }

            message = run.Message;
            batch = run.Batch;
            return good ? PeerBodyFault.None : PeerBodyFault.Invalid;
        }
        catch (JsonException fault)
        {
            message = $"the body is not JSON: line {fault.LineNumber + 1}, byte {fault.BytePositionInLine + 1}";
            return PeerBodyFault.NotJson;
        }
    }
}

/// <summary>Reads one body. Methods return false after setting <see cref="Message"/>.</summary>
internal sealed class PeerJobRun(ReadOnlyMemory<byte> body)
{
    private readonly List<IncomingJob> _jobs = [];
    private ReadOnlyMemory<byte> _lastTag;
    private ReadOnlyMemory<byte> _lastReason;
    private DateTimeOffset? _sentAt;

    public string Message { get; private set; } = string.Empty;

    public IncomingBatch Batch => new(_jobs, _sentAt);

    /// <summary>Reads the next token. Throws <see cref="JsonException"/> for a lone surrogate in an escape, too.</summary>
    public static bool Next(ref Utf8JsonReader reader)
    {
        bool more = reader.Read();
        if (more && reader.ValueIsEscaped && HasLoneSurrogate(reader.ValueSpan))
        {
            throw new JsonException("lone surrogate", null, null, reader.TokenStartIndex);
        }

        return more;
    }

    public bool TryReadArray(ref Utf8JsonReader reader)
    {
        Next(ref reader);
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            return Fail("the body is not an array of jobs");
        }

        while (Next(ref reader) && reader.TokenType != JsonTokenType.EndArray)
        {
            if (!TryReadJob(ref reader))
            {
                Message = $"job {_jobs.Count}: {Message}";
                return false;
            }
        }

        return true;
    }

    private bool TryReadJob(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return Fail("not an object");
        }

        var job = new Draft();
        while (Next(ref reader) && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool good =
                reader.ValueTextEquals("action"u8) ? job.IsFirst(0) && TryReadAction(ref reader, ref job)
                : reader.ValueTextEquals("entry"u8) ? job.IsFirst(1) && TryReadEntry(ref reader, ref job)
                : reader.ValueTextEquals("stamp"u8) ? job.IsFirst(2) && TryReadInteger(ref reader, "stamp", out job.Time)
                : reader.ValueTextEquals("node"u8) ? job.IsFirst(3) && TryReadInteger(ref reader, "node", out job.Node)
                : reader.ValueTextEquals("ttl"u8) ? job.IsFirst(4) && TryReadInteger(ref reader, "ttl", out job.Ttl)
                : reader.ValueTextEquals("sent"u8) ? job.IsFirst(5) && TryReadSent(ref reader)
                : Skip(ref reader);
            if (!good)
            {
                return job.Twice ? Fail("a member appears twice") : false;
            }
        }

        return TryFinish(job);
    }

    private bool TryFinish(in Draft job)
    {
        if (!job.Has(0) || !job.Has(1))
        {
            return Fail("\"action\" and \"entry\" are required");
        }

        if (job.Has(2) != job.Has(3))
        {
            return Fail("\"stamp\" and \"node\" need each other");
        }

        if (job.Time > HybridClock.MaxTime)
        {
            return Fail("\"stamp\" is too large");
        }

        TimeSpan? left = job.Has(4) ? TimeSpan.FromMilliseconds(Math.Min(job.Ttl, 9_000_000_000_000UL)) : null;
        _jobs.Add(new IncomingJob(
            job.IsAdd, job.Cidr.Network, job.Tag, job.Expiration, job.Metadata, job.Has(2) ? new RuleVersion(job.Time, job.Node) : null, left)
        {
            Reason = job.Reason,
        });
        return true;
    }

    private bool TryReadAction(ref Utf8JsonReader reader, ref Draft job)
    {
        Next(ref reader);
        bool isString = reader.TokenType == JsonTokenType.String;
        job.IsAdd = isString && reader.ValueTextEquals("add"u8);
        return job.IsAdd || (isString && reader.ValueTextEquals("remove"u8)) || Fail("\"action\" is neither \"add\" nor \"remove\"");
    }

    private bool TryReadEntry(ref Utf8JsonReader reader, ref Draft job)
    {
        Next(ref reader);
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return Fail("\"entry\" is not an object");
        }

        var seen = new Draft();
        while (Next(ref reader) && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool good =
                reader.ValueTextEquals("cidr"u8) ? seen.IsFirst(0) && TryReadCidr(ref reader, ref job)
                : reader.ValueTextEquals("tag"u8) ? seen.IsFirst(1) && TryReadTag(ref reader, ref job)
                : reader.ValueTextEquals("expiration"u8) ? seen.IsFirst(2) && TryReadInteger(ref reader, "expiration", out job.Expiration)
                : reader.ValueTextEquals("metadata"u8) ? seen.IsFirst(3) && TryReadMetadata(ref reader, ref job)
                : reader.ValueTextEquals("reason"u8) ? seen.IsFirst(4) && TryReadReason(ref reader, ref job)
                : Skip(ref reader);
            if (!good)
            {
                return seen.Twice ? Fail("a member of \"entry\" appears twice") : false;
            }
        }

        return (seen.Has(0) && seen.Has(2)) || Fail("\"cidr\" and \"expiration\" are required");
    }

    private bool TryReadCidr(ref Utf8JsonReader reader, ref Draft job)
    {
        Next(ref reader);
        if (reader.TokenType != JsonTokenType.String)
        {
            return Fail("\"cidr\" is not a string");
        }

        CidrFault fault = CidrFault.BadAddress;
        if (reader.ValueSpan.Length <= 512)
        {
            Span<byte> text = stackalloc byte[512];
            fault = Cidr.TryParse(text[..reader.CopyString(text)], out job.Cidr);
        }

        return fault == CidrFault.None || Fail($"\"cidr\": {fault.Explain()}");
    }

    private bool TryReadTag(ref Utf8JsonReader reader, ref Draft job) =>
        TryReadRepeated(ref reader, "tag", TagRule.MaxBytes, TagRule.Fault, ref _lastTag, out job.Tag);

    private bool TryReadReason(ref Utf8JsonReader reader, ref Draft job) =>
        TryReadRepeated(ref reader, "reason", ReasonRule.MaxBytes, ReasonRule.Fault, ref _lastReason, out job.Reason);

    /// <summary>Reads a text that most jobs of a batch have in common, so that they share its memory; null is an empty one.</summary>
    private bool TryReadRepeated(
        ref Utf8JsonReader reader, string member, int maxBytes, Func<ReadOnlySpan<byte>, string?> faultOf, ref ReadOnlyMemory<byte> last, out ReadOnlyMemory<byte> value)
    {
        value = default;
        Next(ref reader);
        if (reader.TokenType == JsonTokenType.Null)
        {
            return true;
        }

        if (reader.TokenType != JsonTokenType.String)
        {
            return Fail($"\"{member}\" is neither a string nor null");
        }

        // An escape sequence takes six bytes per character, so a valid text is never longer.
        if (reader.ValueSpan.Length > maxBytes * 6)
        {
            return Fail($"\"{member}\": longer than {maxBytes} bytes");
        }

        Span<byte> text = stackalloc byte[maxBytes * 6];
        text = text[..reader.CopyString(text)];
        if (faultOf(text) is { } fault)
        {
            return Fail($"\"{member}\": {fault}");
        }

        value = last = last.Span.SequenceEqual(text) ? last : text.ToArray();
        return true;
    }

    private bool TryReadInteger(ref Utf8JsonReader reader, string member, out ulong value)
    {
        Next(ref reader);
        value = 0;
        return (reader.TokenType == JsonTokenType.Number && reader.TryGetUInt64(out value))
            || Fail($"\"{member}\" is not an integer from 0 to 18446744073709551615");
    }

    private bool TryReadSent(ref Utf8JsonReader reader)
    {
        if (!TryReadInteger(ref reader, "sent", out ulong sent))
        {
            return false;
        }

        _sentAt ??= DateTimeOffset.FromUnixTimeMilliseconds((long)Math.Min(sent, 253_402_300_799_999UL));
        return true;
    }

    private bool Fail(string message)
    {
        Message = message;
        return false;
    }

    /// <summary>A job that is being read, and the members that were present.</summary>
    private struct Draft
    {
        public bool IsAdd;
        public Cidr Cidr;
        public ReadOnlyMemory<byte> Tag;
        public ReadOnlyMemory<byte> Reason;
        public ulong Expiration;
        public JobMetadata? Metadata;
        public ulong Time;
        public ulong Node;
        public ulong Ttl;
        private int _seen;

        public bool Twice { get; private set; }

        public readonly bool Has(int member) => (_seen & (1 << member)) != 0;

        public bool IsFirst(int member)
        {
            Twice = Has(member);
            _seen |= 1 << member;
            return !Twice;
        }
    }

    private bool TryReadMetadata(ref Utf8JsonReader reader, ref Draft job)
    {
        Next(ref reader);
        if (reader.TokenType == JsonTokenType.Null)
        {
            return true;
        }

        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return Fail("\"metadata\" is neither an object nor null");
        }

        var seen = new Draft();
        string kind = string.Empty, detail = string.Empty;
        ReadOnlyMemory<byte> extra = default;
        while (Next(ref reader) && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool good =
                reader.ValueTextEquals("kind"u8) ? seen.IsFirst(0) && TryReadText(ref reader, "kind", out kind)
                : reader.ValueTextEquals("detail"u8) ? seen.IsFirst(1) && TryReadText(ref reader, "detail", out detail)
                : reader.ValueTextEquals("extra"u8) ? seen.IsFirst(2) && TryReadExtra(ref reader, out extra)
                : Skip(ref reader);
            if (!good)
            {
                return seen.Twice ? Fail("a member of \"metadata\" appears twice") : false;
            }
        }

        job.Metadata = new JobMetadata(kind, detail, extra);
        return (seen.Has(0) && seen.Has(1)) || Fail("\"metadata\" needs \"kind\" and \"detail\"");
    }

    private bool TryReadText(ref Utf8JsonReader reader, string member, out string text)
    {
        Next(ref reader);
        text = reader.TokenType == JsonTokenType.String ? reader.GetString()! : string.Empty;
        return reader.TokenType == JsonTokenType.String || Fail($"\"{member}\" is not a string");
    }

    private bool TryReadExtra(ref Utf8JsonReader reader, out ReadOnlyMemory<byte> extra)
    {
        extra = default;
        Next(ref reader);
        if (reader.TokenType == JsonTokenType.Null)
        {
            return true;
        }

        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return Fail("\"extra\" is neither an object nor null");
        }

        int start = (int)reader.TokenStartIndex;
        SkipValue(ref reader);
        extra = body[start..(int)reader.BytesConsumed].ToArray(); // the body may move while the batch is applied
        return true;
    }

    private static bool Skip(ref Utf8JsonReader reader)
    {
        Next(ref reader);
        SkipValue(ref reader);
        return true;
    }

    /// <summary>Skips to the end of the current value; checks each token.</summary>
    private static void SkipValue(ref Utf8JsonReader reader)
    {
        if (reader.TokenType is not (JsonTokenType.StartObject or JsonTokenType.StartArray))
        {
            return;
        }

        int depth = reader.CurrentDepth;
        while (Next(ref reader) && reader.CurrentDepth > depth)
        {
            // The content of a skipped value.
        }
    }

    /// <summary>Whether an escaped UTF-16 unit lacks its other half; RFC 8259 §8.2 allows that, couic does not.</summary>
    private static bool HasLoneSurrogate(ReadOnlySpan<byte> text)
    {
        bool high = false;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                if (high)
                {
                    return true;
                }

                continue;
            }

            i++;
            uint unit = 0;
            _ = text[i] == 'u' && Utf8Parser.TryParse(text.Slice(i + 1, 4), out unit, out int _, 'x');
            i += text[i] == 'u' ? 4 : 0;
            bool low = unit is >= 0xdc00 and <= 0xdfff;
            if (high != low)
            {
                return true;
            }

            high = unit is >= 0xd800 and <= 0xdbff;
        }

        return high;
    }
}

/// <summary>One validated job of a peer's batch.</summary>
public sealed record IncomingJob(
    bool IsAdd,
    Cidr Cidr,
    ReadOnlyMemory<byte> Tag,
    ulong Expiration,
    JobMetadata? Metadata,
    RuleVersion? Version,
    TimeSpan? TimeToLive)
{
    /// <summary>Why the entry exists; empty for none.</summary>
    public ReadOnlyMemory<byte> Reason { get; init; }
}

/// <param name="Extra">A JSON object as received; empty for none.</param>
public sealed record JobMetadata(string Kind, string Detail, ReadOnlyMemory<byte> Extra);

/// <summary>The jobs of one request.</summary>
/// <param name="SentAt">When they were sent, by the local clock as the sender estimates it; null when unknown.</param>
public sealed record IncomingBatch(IReadOnlyList<IncomingJob> Jobs, DateTimeOffset? SentAt);

public enum PeerBodyFault : byte
{
    None,

    /// <summary>400: the body is not JSON.</summary>
    NotJson,

    /// <summary>422: JSON with the wrong structure or invalid values.</summary>
    Invalid,
}
