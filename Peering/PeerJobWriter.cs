using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Couic.Store;

namespace Couic.Peering;

/// <summary>Writes jobs: batches for peers, and the echo of received batches.</summary>
public static class PeerJobWriter
{
    /// <summary>The received jobs, normalised; couic 1.x parses this answer.</summary>
    public static void WriteEcho(IncomingBatch batch, IBufferWriter<byte> output)
    {
        using var writer = new Utf8JsonWriter(output, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        Span<byte> text = stackalloc byte[Cidr.MaxTextLength];
        writer.WriteStartArray();
        foreach (IncomingJob job in batch.Jobs)
        {
            writer.WriteStartObject();
            writer.WriteString("action"u8, job.IsAdd ? "add"u8 : "remove"u8);
            writer.WriteStartObject("entry"u8);
            writer.WriteString("cidr"u8, text[..job.Cidr.Format(text)]);
            WriteTag(writer, job.Tag.Span);
            writer.WriteNumber("expiration"u8, job.Expiration);
            WriteMetadata(writer, job.Metadata);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WriteTag(Utf8JsonWriter writer, ReadOnlySpan<byte> tag)
    {
        if (tag.IsEmpty)
        {
            writer.WriteNull("tag"u8);
        }
        else
        {
            writer.WriteString("tag"u8, tag);
        }
    }

    private static void WriteMetadata(Utf8JsonWriter writer, JobMetadata? metadata)
    {
        if (metadata is null)
        {
            writer.WriteNull("metadata"u8);
            return;
        }

        writer.WriteStartObject("metadata"u8);
        writer.WriteString("kind"u8, metadata.Kind);
        writer.WriteString("detail"u8, metadata.Detail);
        writer.WritePropertyName("extra"u8);
        if (metadata.Extra.IsEmpty)
        {
            writer.WriteNullValue();
        }
        else
        {
            writer.WriteRawValue(metadata.Extra.Span, skipInputValidation: true);
        }

        writer.WriteEndObject();
    }

    /// <summary>Starts a batch; <see cref="Append"/> adds jobs, <see cref="End"/> closes it.</summary>
    internal static void Begin(ArrayBufferWriter<byte> output) => output.Write("["u8);

    internal static void End(ArrayBufferWriter<byte> output) => output.Write("]"u8);

    /// <summary>A job with tag, reason and version of maximal length.</summary>
    private const int MaxJobBytes = 512 + (2 * ReasonRule.MaxBytes);

    /// <param name="sentAt">The current time by the peer's clock; written with the first job only.</param>
    internal static void Append(ArrayBufferWriter<byte> output, in OutgoingJob job, bool isAdd, bool versioned, DateTimeOffset? sentAt)
    {
        Span<byte> line = output.GetSpan(MaxJobBytes);
        int n = 0;
        if (output.WrittenCount > 1)
        {
            line[n++] = (byte)',';
        }

        Put(line, ref n, isAdd ? "{\"action\":\"add\",\"entry\":{\"cidr\":\""u8 : "{\"action\":\"remove\",\"entry\":{\"cidr\":\""u8);
        n += job.Cidr.Format(line[n..]);
        if (isAdd && job.Tag.Length > 0)
        {
            Put(line, ref n, "\",\"tag\":\""u8);
            Put(line, ref n, job.Tag.Span); // letters, digits, "-" and "_": nothing to escape
            Put(line, ref n, "\",\"expiration\":"u8);
        }
        else
        {
            Put(line, ref n, "\",\"tag\":null,\"expiration\":"u8);
        }

        Put(line, ref n, isAdd ? job.Expiration : 0);
        if (isAdd && !job.Reason.IsEmpty)
        {
            Put(line, ref n, ",\"reason\":\""u8);
            PutEscaped(line, ref n, job.Reason.Span);
            line[n++] = (byte)'"';
        }

        line[n++] = (byte)'}';
        if (versioned)
        {
            Put(line, ref n, ",\"stamp\":"u8);
            Put(line, ref n, job.Version.Time);
            Put(line, ref n, ",\"node\":"u8);
            Put(line, ref n, job.Version.Node);
            if (isAdd && job.Left is { } left)
            {
                Put(line, ref n, ",\"ttl\":"u8);
                Put(line, ref n, (ulong)Math.Max(0, left.TotalMilliseconds));
            }

            if (sentAt is { } sent)
            {
                Put(line, ref n, ",\"sent\":"u8);
                Put(line, ref n, (ulong)Math.Max(0, sent.ToUnixTimeMilliseconds()));
            }
        }

        line[n++] = (byte)'}';
        output.Advance(n);
    }

    private static void Put(Span<byte> line, ref int n, ReadOnlySpan<byte> text)
    {
        text.CopyTo(line[n..]);
        n += text.Length;
    }

    /// <summary>A text without control characters.</summary>
    private static void PutEscaped(Span<byte> line, ref int n, ReadOnlySpan<byte> text)
    {
        foreach (byte c in text)
        {
            if (c is (byte)'"' or (byte)'\\')
            {
                line[n++] = (byte)'\\';
            }

            line[n++] = c;
        }
    }

    private static void Put(Span<byte> line, ref int n, ulong value)
    {
        value.TryFormat(line[n..], out int written, default, CultureInfo.InvariantCulture);
        n += written;
    }
}
