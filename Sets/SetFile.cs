using System.Text.Unicode;
using Couic.Store;

namespace Couic.Sets;

/// <summary>The text of a set file: what it may hold, how it is written, what is wrong with it.</summary>
public static class SetFile
{
    public const string Suffix = TagRule.SetSuffix;

    /// <summary>Faults of one file that are told in full: 12 MiB of nonsense are 6 million lines.</summary>
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

    /// <summary>The lines that are no CIDR, at most <see cref="MaxFaults"/> of them.</summary>
    public static List<SetFault> FindFaults(ReadOnlySpan<byte> content)
    {
        var faults = new List<SetFault>();
        var reader = new SetReader(content);
        while (reader.Next() && faults.Count < MaxFaults)
        {
            CidrFault fault = reader.TryParse(out _);
            if (fault != CidrFault.None)
            {
                faults.Add(SetFault.OfLine(reader.Line, reader.Text, fault));
            }
        }

        return faults;
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

    /// <summary>Writes one CIDR a line, the last line ended too.</summary>
    public static byte[] Format(ReadOnlySpan<Cidr> entries)
    {
        long length = 0;
        Span<byte> line = stackalloc byte[Cidr.MaxTextLength];
        foreach (Cidr entry in entries)
        {
            length += entry.Format(line) + 1;
        }

        var text = new byte[length];
        Span<byte> rest = text;
        foreach (Cidr entry in entries)
        {
            int written = entry.Format(line);
            line[..written].CopyTo(rest);
            rest[written] = (byte)'\n';
            rest = rest[(written + 1)..];
        }

        return text;
    }
}
