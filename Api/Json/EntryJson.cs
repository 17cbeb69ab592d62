using System.Buffers;
using System.Buffers.Text;
using Couic.Http;
using Couic.Store;

namespace Couic.Api.Json;

/// <summary>An entry as the API shows it.</summary>
internal static class EntryJson
{
    /// <summary>Bytes of the members before the tag, and of those after it.</summary>
    private const int HeadBytes = Cidr.MaxTextLength + 64;

    public static void Write(IBufferWriter<byte> writer, in Entry entry, IReadOnlyList<string>? warnings = null)
    {
        WriteMembers(writer, entry);
        Warnings.WriteMember(writer, warnings);
        writer.Raw("}"u8);
    }

    public static void Write(IBufferWriter<byte> writer, in ListedEntry entry, byte[] tag, byte[] reason, Claim[]? claims)
    {
        WriteMembers(writer, entry.Cidr, entry.Creation, entry.Expiration, tag, reason, claims);
        writer.Raw("}"u8);
    }

    /// <summary>With its creator, its packets if they are counted, and its rate where the list is ordered by it.</summary>
    public static void WriteDetailed(IBufferWriter<byte> writer, in Entry entry, EntryHits? hits, EntryRate? rate = null)
    {
        WriteMembers(writer, entry);
        writer.Raw(",\"added_by\":"u8);
        WriteName(writer, entry.Creator.Span);
        if (hits is { } counted)
        {
            writer.Raw(",\"packets\":"u8);
            writer.Number(counted.Packets);
            writer.Raw(",\"last_hit\":"u8);
            writer.Number(counted.LastHit?.ToUnixTimeSeconds() ?? 0);
        }
        else
        {
            writer.Raw(",\"packets\":null,\"last_hit\":null"u8);
        }

        if (rate is { } measured)
        {
            writer.Raw(",\"rate\":"u8);
            Span<byte> room = writer.GetSpan(32);
            int length = measured.PacketsPerSecond is not { } packets ? Put(room, "null"u8)
                : Utf8Formatter.TryFormat(packets, room, out int written, new StandardFormat('F', 1)) ? written : 0;
            writer.Advance(length);
        }

        writer.Raw("}"u8);
    }

    private static void WriteMembers(IBufferWriter<byte> writer, in Entry entry) =>
        WriteMembers(writer, entry.Cidr, entry.Creation, entry.Expiration, entry.Tag.Span, entry.Reason.Span, entry.Claims);

    private static void WriteMembers(
        IBufferWriter<byte> writer, Cidr cidr, ulong creation, ulong expiration, ReadOnlySpan<byte> tag, ReadOnlySpan<byte> reason, Claim[]? claims)
    {
        // In few pieces, as each costs two calls of the writer.
        Span<byte> room = writer.GetSpan(HeadBytes);
        int length = Put(room, "{\"creation\":"u8);
        length += Put(room[length..], creation);
        length += Put(room[length..], ",\"cidr\":\""u8);
        length += cidr.Format(room[length..]);
        length += Put(room[length..], "\",\"tag\":"u8);
        writer.Advance(length);
        WriteName(writer, tag);
        room = writer.GetSpan(HeadBytes);
        length = Put(room, ",\"expiration\":"u8);
        length += Put(room[length..], expiration);
        writer.Advance(length);
        if (!reason.IsEmpty)
        {
            writer.Raw(",\"reason\":"u8);
            writer.String(reason);
        }

        if (claims is not null)
        {
            WriteClaims(writer, claims);
        }
    }

    private static void WriteClaims(IBufferWriter<byte> writer, Claim[] claims)
    {
        ReadOnlySpan<byte> start = ",\"claims\":[{\"tag\":"u8;
        foreach (Claim claim in claims)
        {
            writer.Raw(start);
            start = ",{\"tag\":"u8;
            WriteName(writer, claim.Tag);
            writer.Raw(",\"expiration\":"u8);
            writer.Number(claim.Expiration);
            writer.Raw(",\"added_by\":"u8);
            WriteName(writer, claim.Creator);
            if (claim.Reason.Length > 0)
            {
                writer.Raw(",\"reason\":"u8);
                writer.String(claim.Reason);
            }

            writer.Raw("}"u8);
        }

        writer.Raw("]"u8);
    }

    private static int Put(Span<byte> room, ReadOnlySpan<byte> text)
    {
        text.CopyTo(room);
        return text.Length;
    }

    private static int Put(Span<byte> room, ulong number)
    {
        Utf8Formatter.TryFormat(number, room, out int length);
        return length;
    }

    private static void WriteName(IBufferWriter<byte> writer, ReadOnlySpan<byte> name)
    {
        if (name.IsEmpty)
        {
            writer.Raw("null"u8);
        }
        else
        {
            writer.String(name);
        }
    }
}

/// <param name="PacketsPerSecond">Null when it is not known.</param>
internal readonly record struct EntryRate(double? PacketsPerSecond);
