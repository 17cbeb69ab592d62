using System.Buffers.Binary;
using System.Text;

namespace Couic.Bpf.Elf;

/// <summary>
/// A relocatable ELF file (64-bit, little-endian, for BPF), as far as a loader of BPF objects needs it. Whatever the bytes
/// are, reading either succeeds or throws <see cref="BpfException"/>.
/// </summary>
internal sealed class ElfFile
{
    private const int HeaderSize = 64;
    private const int SectionHeaderSize = 64;
    private const int SymbolSize = 24;
    private const int RelocationSize = 16;
    private const ushort EM_BPF = 247;
    private const ushort ET_REL = 1;
    private const uint SHT_SYMTAB = 2;
    private const uint SHT_NOBITS = 8;
    private const uint SHT_REL = 9;

    private readonly ReadOnlyMemory<byte> _file;

    private ElfFile(ReadOnlyMemory<byte> file)
    {
        _file = file;
        Sections = ReadSections();
        Symbols = ReadSymbols();
    }

    public IReadOnlyList<ElfSection> Sections { get; }

    public IReadOnlyList<ElfSymbol> Symbols { get; }

    public static ElfFile Read(ReadOnlyMemory<byte> file) => new(file);

    /// <summary>The section of that name; null if there is none.</summary>
    public ElfSection? Find(string name) => Sections.FirstOrDefault(s => s.Name == name);

    /// <summary>The relocations that apply to a section, in the order of the file.</summary>
    public IEnumerable<ElfRelocation> RelocationsOf(ElfSection target)
    {
        foreach (ElfSection section in Sections)
        {
            if (section.Type != SHT_REL || section.Info != target.Index)
            {
                continue;
            }

            for (int at = 0; at < section.Data.Length; at += RelocationSize)
            {
                ReadOnlySpan<byte> entry = Slice(section.Data, (uint)at, RelocationSize, "relocation").Span;
                ulong info = BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]);
                uint symbol = (uint)(info >> 32);
                if (symbol >= Symbols.Count)
                {
                    throw Malformed($"relocation of section \"{target.Name}\" names symbol {symbol} of {Symbols.Count}");
                }

                yield return new ElfRelocation(BinaryPrimitives.ReadUInt64LittleEndian(entry), (uint)info, Symbols[(int)symbol]);
            }
        }
    }

    /// <summary>The section that a symbol lies in; null for undefined, absolute and common ones.</summary>
    public ElfSection? SectionOf(ElfSymbol symbol) =>
        symbol.SectionIndex > 0 && symbol.SectionIndex < Sections.Count ? Sections[symbol.SectionIndex] : null;

    internal static BpfException Malformed(string what) => new($"read xdp object: {what} (the object is damaged)");

    private static ReadOnlyMemory<byte> Slice(ReadOnlyMemory<byte> from, ulong offset, ulong length, string what) =>
        offset <= (ulong)from.Length && length <= (ulong)from.Length - offset
            ? from.Slice((int)offset, (int)length)
            : throw Malformed($"{what} at {offset}, {length} bytes, ends beyond its {from.Length} bytes");

    private static string Text(ReadOnlyMemory<byte> table, uint offset)
    {
        ReadOnlySpan<byte> rest = Slice(table, offset, 0, "name").Span.Length == 0 ? table.Span[(int)offset..] : default;
        int end = rest.IndexOf((byte)0);
        return end >= 0 ? Encoding.ASCII.GetString(rest[..end]) : throw Malformed($"name at {offset} has no end");
    }

    private ElfSection[] ReadSections()
    {
        ReadOnlySpan<byte> header = Slice(_file, 0, HeaderSize, "header").Span;
        if (!header.StartsWith("\x7f"u8 + "ELF\x02\x01"u8))
        {
            throw Malformed("not a 64-bit little-endian ELF file");
        }

        if (BinaryPrimitives.ReadUInt16LittleEndian(header[16..]) != ET_REL || BinaryPrimitives.ReadUInt16LittleEndian(header[18..]) != EM_BPF)
        {
            throw Malformed("not a relocatable object for BPF");
        }

        ulong offset = BinaryPrimitives.ReadUInt64LittleEndian(header[40..]);
        ushort entrySize = BinaryPrimitives.ReadUInt16LittleEndian(header[58..]);
        ushort count = BinaryPrimitives.ReadUInt16LittleEndian(header[60..]);
        ushort names = BinaryPrimitives.ReadUInt16LittleEndian(header[62..]);
        if (entrySize != SectionHeaderSize || names >= count)
        {
            throw Malformed($"section headers of {entrySize} bytes, names in section {names} of {count}");
        }

        ReadOnlyMemory<byte> table = Slice(_file, offset, (ulong)count * SectionHeaderSize, "section header table");
        ReadOnlyMemory<byte> nameTable = SectionData(table, names);
        var sections = new ElfSection[count];
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> entry = table.Span[(i * SectionHeaderSize)..];
            sections[i] = new ElfSection(
                i,
                Text(nameTable, BinaryPrimitives.ReadUInt32LittleEndian(entry)),
                BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]),
                BinaryPrimitives.ReadUInt32LittleEndian(entry[40..]),
                BinaryPrimitives.ReadUInt32LittleEndian(entry[44..]),
                SectionData(table, i));
        }

        return sections;
    }

    private ReadOnlyMemory<byte> SectionData(ReadOnlyMemory<byte> table, int index)
    {
        ReadOnlySpan<byte> entry = table.Span[(index * SectionHeaderSize)..];
        return BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]) is 0 or SHT_NOBITS
            ? default
            : Slice(_file, BinaryPrimitives.ReadUInt64LittleEndian(entry[24..]), BinaryPrimitives.ReadUInt64LittleEndian(entry[32..]), $"section {index}");
    }

    private ElfSymbol[] ReadSymbols()
    {
        ElfSection? table = Sections.FirstOrDefault(s => s.Type == SHT_SYMTAB);
        if (table is null)
        {
            throw Malformed("no symbol table");
        }

        if (table.Link >= Sections.Count || table.Data.Length % SymbolSize != 0)
        {
            throw Malformed($"symbol table of {table.Data.Length} bytes, names in section {table.Link} of {Sections.Count}");
        }

        ReadOnlyMemory<byte> names = Sections[(int)table.Link].Data;
        var symbols = new ElfSymbol[table.Data.Length / SymbolSize];
        for (int i = 0; i < symbols.Length; i++)
        {
            ReadOnlySpan<byte> entry = table.Data.Span[(i * SymbolSize)..];
            symbols[i] = new ElfSymbol(
                Text(names, BinaryPrimitives.ReadUInt32LittleEndian(entry)),
                BinaryPrimitives.ReadUInt16LittleEndian(entry[6..]),
                BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]));
        }

        return symbols;
    }
}

/// <param name="Link">Index of the section that its names lie in.</param>
/// <param name="Info">Index of the section that its relocations apply to.</param>
internal sealed record ElfSection(int Index, string Name, uint Type, uint Link, uint Info, ReadOnlyMemory<byte> Data);

/// <param name="Value">Offset in its section.</param>
internal sealed record ElfSymbol(string Name, int SectionIndex, ulong Value);

/// <param name="Offset">Where, in the section that it applies to.</param>
internal readonly record struct ElfRelocation(ulong Offset, uint Type, ElfSymbol Symbol);
