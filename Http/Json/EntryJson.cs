using System.Buffers;
using Couic.Store;

namespace Couic.Http.Json;

/// <summary>An entry as the API shows it.</summary>
internal static class EntryJson
{
    public static void Write(IBufferWriter<byte> writer, in Entry entry)
    {
        WriteMembers(writer, entry);
        writer.Raw("}"u8);
    }

    public static void Write(IBufferWriter<byte> writer, in ListedEntry entry, byte[] tag)
    {
        WriteMembers(writer, entry.Cidr, entry.Creation, entry.Expiration, tag);
        writer.Raw("}"u8);
    }

    /// <summary>With who added it, and what it did, as far as that is counted.</summary>
    public static void WriteDetailed(IBufferWriter<byte> writer, in Entry entry, EntryHits? hits)
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

        writer.Raw("}"u8);
    }

    private static void WriteMembers(IBufferWriter<byte> writer, in Entry entry) =>
        WriteMembers(writer, entry.Cidr, entry.Creation, entry.Expiration, entry.Tag.Span);

    private static void WriteMembers(IBufferWriter<byte> writer, Cidr cidr, ulong creation, ulong expiration, ReadOnlySpan<byte> tag)
    {
        writer.Raw("{\"creation\":"u8);
        writer.Number(creation);
        writer.Raw(",\"cidr\":\""u8);
        writer.Advance(cidr.Format(writer.GetSpan(Cidr.MaxTextLength)));
        writer.Raw("\",\"tag\":"u8);
        WriteName(writer, tag);
        writer.Raw(",\"expiration\":"u8);
        writer.Number(expiration);
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
