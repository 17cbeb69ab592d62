using System.Text.Unicode;
using Couic.Store;

namespace Couic.Sets;

/// <summary>The text of a set file: what it may hold, how it is written, what is wrong with it.</summary>
public static class SetFile
{
    /// <summary>Bytes; as in couic 1.x.</summary>
    public const int MaxBytes = 5 * 1024 * 1024;

    public const string Suffix = TagRule.SetSuffix;

    /// <summary>Faults of one file that are told in full: 5 MiB of nonsense are 2.6 million lines.</summary>
    public const int MaxFaults = 10_000;

    /// <summary>Whether the bytes are text at all (UTF-8).</summary>
    public static bool IsText(ReadOnlySpan<byte> content) => Utf8.IsValid(content);

    /// <summary>Lines that are neither blank nor comments, valid or not.</summary>
    public static int CountLines(ReadOnlySpan<byte> content)
    {
        var reader = new SetReader(content);
        int count = 0;
        while (reader.Next())
        {
            count++;
        }

        return count;
    }

    /// <summary>Reads all entries in their order, host bits and duplicates kept.</summary>
    /// <param name="faults">The lines that are no CIDR, at most <see cref="MaxFaults"/> of them; empty when all are good.</param>
    public static List<Cidr> Read(ReadOnlySpan<byte> content, out List<SetFault> faults)
    {
        var entries = new List<Cidr>();
        faults = [];
        var reader = new SetReader(content);
        while (reader.Next())
        {
            CidrFault fault = reader.TryParse(out Cidr cidr);
            if (fault == CidrFault.None)
            {
                entries.Add(cidr);
            }
            else if (faults.Count < MaxFaults)
            {
                faults.Add(SetFault.OfLine(reader.Line, reader.Text, fault));
            }
        }

        return entries;
    }

    /// <summary>The number of the first line that is not UTF-8, from 1; 0 when there is none.</summary>
    public static int FindBadText(ReadOnlySpan<byte> content)
    {
        for (int line = 1; !content.IsEmpty; line++)
        {
            int end = content.IndexOf((byte)'\n');
            if (!Utf8.IsValid(end < 0 ? content : content[..end]))
            {
                return line;
            }

            content = end < 0 ? default : content[(end + 1)..];
        }

        return 0;
    }

    /// <summary>Writes one CIDR a line, the last line ended too; null when that is over <see cref="MaxBytes"/>.</summary>
    public static byte[]? Format(ReadOnlySpan<Cidr> entries)
    {
        var text = new byte[Math.Min((long)entries.Length * (Cidr.MaxTextLength + 1), MaxBytes + Cidr.MaxTextLength + 1)];
        int length = 0;
        foreach (Cidr entry in entries)
        {
            length += entry.Format(text.AsSpan(length));
            text[length++] = (byte)'\n';
            if (length > MaxBytes)
            {
                return null;
            }
        }

        return text.AsSpan(0, length).ToArray();
    }
}
