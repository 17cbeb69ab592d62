using System.Buffers.Binary;
using Couic.Native;

namespace Couic.Bpf.Elf;

/// <summary>
/// What an object file asks the kernel for: maps, one program, constants, types. The same on every machine; nothing is
/// made here. Maps may be resized and constants set before <see cref="XdpLoader"/> makes kernel objects from it.
/// </summary>
internal sealed class ObjectSpec
{
    public const string ConstantsName = ".rodata";

    private const string MapsName = ".maps";
    private const uint R_BPF_64_64 = 1;
    private const uint R_BPF_64_32 = 10;

    public required IReadOnlyList<MapSpec> Maps { get; init; }

    public required ProgramSpec Program { get; init; }

    /// <summary>Content of <c>.rodata</c>; the program sees it as constants.</summary>
    public required byte[] Constants { get; init; }

    public required BtfTypes Types { get; init; }

    private Dictionary<string, int> ConstantOffsets { get; init; } = [];

    /// <exception cref="BpfException">The bytes are no object that this loader can load.</exception>
    public static ObjectSpec Read(ReadOnlyMemory<byte> file, string section)
    {
        ElfFile elf = ElfFile.Read(file);
        ElfSection code = elf.Find(section) ?? throw ElfFile.Malformed($"no section \"{section}\"");
        BtfTypes types = BtfTypes.Read((elf.Find(".BTF") ?? throw ElfFile.Malformed("no section \".BTF\"")).Data.Span);
        ElfSection? constants = elf.Find(ConstantsName);
        Complete(types, elf);
        List<MapSpec> maps = ReadMaps(types);
        return new ObjectSpec
        {
            Maps = maps,
            Types = types,
            Constants = constants is null ? [] : constants.Data.ToArray(),
            ConstantOffsets = elf.Symbols.Where(s => constants is not null && s.SectionIndex == constants.Index)
                .DistinctBy(s => s.Name).ToDictionary(s => s.Name, s => Offset(s)),
            Program = ReadProgram(elf, code, types, maps),
        };
    }

    /// <exception cref="BpfException">The object has no map of that name.</exception>
    public MapSpec Map(string name) => Maps.FirstOrDefault(m => m.Name == name) ?? throw ElfFile.Malformed($"no map \"{name}\"");

    /// <summary>Sets a <c>const volatile</c> variable of one byte.</summary>
    public void SetConstant(string name, bool value) => SetConstant(name, [value ? (byte)1 : (byte)0]);

    /// <summary>Sets a <c>const volatile</c> variable of any type.</summary>
    /// <exception cref="BpfException">The object has no such constant, or one of another size.</exception>
    public void SetConstant(string name, ReadOnlySpan<byte> value)
    {
        uint variable = Types.Find(BtfKind.Variable, name);
        if (variable == 0 || !ConstantOffsets.TryGetValue(name, out int offset))
        {
            throw ElfFile.Malformed($"no constant \"{name}\"");
        }

        uint size = Types.SizeOf(Types[variable].SizeOrType);
        if (size != value.Length || offset > Constants.Length - value.Length)
        {
            throw ElfFile.Malformed($"constant \"{name}\" has {size} bytes at {offset} (expected {value.Length})");
        }

        value.CopyTo(Constants.AsSpan(offset));
    }

    private static int Offset(ElfSymbol symbol) =>
        symbol.Value <= int.MaxValue ? (int)symbol.Value : throw ElfFile.Malformed($"symbol \"{symbol.Name}\" lies at {symbol.Value}");

    private static void Complete(BtfTypes types, ElfFile elf)
    {
        for (uint id = 1; id < (uint)types.Count; id++)
        {
            if (types[id].Kind == BtfKind.Section && elf.Find(types.NameOf(id)) is { } section)
            {
                types.SetSection(id, (uint)section.Data.Length, name =>
                    elf.Symbols.FirstOrDefault(s => s.Name == name && s.SectionIndex == section.Index) is { } symbol
                        ? (uint)Offset(symbol)
                        : throw ElfFile.Malformed($"no symbol \"{name}\" in section \"{section.Name}\""));
            }
        }
    }

    private static List<MapSpec> ReadMaps(BtfTypes types)
    {
        uint section = types.Find(BtfKind.Section, MapsName);
        return section == 0
            ? []
            : [.. types.Variables(section).Select(variable => MapSpec.Read(types, variable))];
    }

    private static ProgramSpec ReadProgram(ElfFile elf, ElfSection code, BtfTypes types, List<MapSpec> maps)
    {
        if (code.Data.Length == 0 || code.Data.Length % 8 != 0)
        {
            throw ElfFile.Malformed($"section \"{code.Name}\" has {code.Data.Length} bytes, which is not a whole number of instructions");
        }

        ElfSymbol entry = elf.Symbols.FirstOrDefault(s => s.SectionIndex == code.Index && s.Value == 0 && types.Find(BtfKind.Function, s.Name) != 0)
            ?? throw ElfFile.Malformed($"no function in section \"{code.Name}\"");
        ReadOnlySpan<byte> lines = elf.Find(".BTF.ext") is { } ext ? ext.Data.Span : throw ElfFile.Malformed("no section \".BTF.ext\"");
        bool OfCode(uint name) => types.NameAt(name) == code.Name;
        ILookup<bool, ElfRelocation> relocations = elf.RelocationsOf(code).ToLookup(r => r.Type == R_BPF_64_32);
        return new ProgramSpec
        {
            Name = entry.Name,
            Instructions = LinkCalls(elf, code, relocations[true]),
            License = License(elf),
            Functions = BtfLines.Read(lines, 0, BpfSyscall.FunctionInfoSize, OfCode),
            Lines = BtfLines.Read(lines, 1, BpfSyscall.LineInfoSize, OfCode),
            References = [.. relocations[false].Select(r => Resolve(elf, code, r, maps))],
        };
    }

    /// <summary>A call of a function of the same section says how many instructions away it is.</summary>
    private static byte[] LinkCalls(ElfFile elf, ElfSection code, IEnumerable<ElfRelocation> calls)
    {
        byte[] instructions = code.Data.ToArray();
        foreach (ElfRelocation call in calls)
        {
            ulong callee = call.Symbol.Value;
            if (elf.SectionOf(call.Symbol)?.Index != code.Index || callee % 8 != 0 || callee >= (ulong)instructions.Length)
            {
                throw ElfFile.Malformed($"call of \"{call.Symbol.Name}\" (only functions in section \"{code.Name}\" can be called)");
            }

            if (call.Offset % 8 != 0 || call.Offset > (ulong)instructions.Length - 8)
            {
                throw ElfFile.Malformed($"relocation at {call.Offset} of {instructions.Length}");
            }

            int at = (int)call.Offset;
            BinaryPrimitives.WriteInt32LittleEndian(instructions.AsSpan(at + 4), ((int)callee / 8) - (at / 8) - 1);
        }

        return instructions;
    }

    private static string License(ElfFile elf)
    {
        ReadOnlySpan<byte> text = elf.Find("license") is { } section ? section.Data.Span : default;
        int end = text.IndexOf((byte)0);
        return end is > 0 and < 128 ? System.Text.Encoding.ASCII.GetString(text[..end]) : throw ElfFile.Malformed("no licence");
    }

    private static MapReference Resolve(ElfFile elf, ElfSection code, ElfRelocation relocation, List<MapSpec> maps)
    {
        ElfSection? target = elf.SectionOf(relocation.Symbol);
        if (relocation.Type != R_BPF_64_64 || target is null)
        {
            throw ElfFile.Malformed($"relocation type {relocation.Type} against \"{relocation.Symbol.Name}\" (only maps and constants can be referred to)");
        }

        if (relocation.Offset % 8 != 0 || (ulong)code.Data.Length < 16 || relocation.Offset > (ulong)code.Data.Length - 16)
        {
            throw ElfFile.Malformed($"relocation at {relocation.Offset} of {code.Data.Length}");
        }

        int at = (int)relocation.Offset;
        if (target.Name == ConstantsName)
        {
            int addend = BinaryPrimitives.ReadInt32LittleEndian(code.Data.Span[(at + 4)..]);
            return new MapReference(at, ConstantsName, unchecked(Offset(relocation.Symbol) + addend));
        }

        return target.Name == MapsName && maps.Any(m => m.Name == relocation.Symbol.Name)
            ? new MapReference(at, relocation.Symbol.Name, null)
            : throw ElfFile.Malformed($"relocation against \"{relocation.Symbol.Name}\" in section \"{target.Name}\"");
    }
}

/// <summary>A map that an object defines, as libbpf's macros write it: a struct of pointers whose types hold the numbers.</summary>
internal sealed class MapSpec
{
    public required string Name { get; init; }

    public required uint Type { get; init; }

    public required uint KeySize { get; init; }

    public required uint ValueSize { get; init; }

    public required uint Flags { get; init; }

    public required uint BtfKeyType { get; init; }

    public required uint BtfValueType { get; init; }

    public required uint MaxEntries { get; set; }

    public static MapSpec Read(BtfTypes types, uint variable)
    {
        string name = types.NameOf(variable);
        Dictionary<string, uint> members = types.Members(types.Strip(types[variable].SizeOrType)).DistinctBy(m => m.Name).ToDictionary(m => m.Name, m => m.Type);

        uint Target(string member)
        {
            uint pointer = types.Strip(members.TryGetValue(member, out uint id) ? id : throw ElfFile.Malformed($"map \"{name}\" has no \"{member}\""));
            return types[pointer].Kind == BtfKind.Pointer ? types[pointer].SizeOrType : throw ElfFile.Malformed($"map \"{name}\": \"{member}\" is not a pointer");
        }

        uint Number(string member) => types.ArrayLength(types.Strip(Target(member)));

        return new MapSpec
        {
            Name = name,
            Type = Number("type"),
            KeySize = types.SizeOf(Target("key")),
            ValueSize = types.SizeOf(Target("value")),
            MaxEntries = Number("max_entries"),
            Flags = members.ContainsKey("map_flags") ? Number("map_flags") : 0,
            BtfKeyType = Target("key"),
            BtfValueType = Target("value"),
        };
    }
}

/// <summary>A program of an object: its code and what in it has to be filled in.</summary>
internal sealed class ProgramSpec
{
    private const byte LoadImmediate64 = 0x18;
    private const int PseudoMapFd = 1;
    private const int PseudoMapValue = 2;

    public required string Name { get; init; }

    public required ReadOnlyMemory<byte> Instructions { get; init; }

    public required string License { get; init; }

    public required ReadOnlyMemory<byte> Functions { get; init; }

    public required ReadOnlyMemory<byte> Lines { get; init; }

    public required IReadOnlyList<MapReference> References { get; init; }

    /// <summary>The code with the descriptors of real maps in it.</summary>
    public byte[] Link(Func<string, int> descriptorOf)
    {
        byte[] code = Instructions.ToArray();
        foreach (MapReference reference in References)
        {
            Span<byte> instruction = code.AsSpan(reference.Offset, 16);
            if (instruction[0] != LoadImmediate64)
            {
                throw ElfFile.Malformed($"relocation at {reference.Offset} is not of a 64-bit load");
            }

            int source = reference.ValueOffset is null ? PseudoMapFd : PseudoMapValue;
            instruction[1] = (byte)((instruction[1] & 0x0f) | (source << 4));
            BinaryPrimitives.WriteInt32LittleEndian(instruction[4..], descriptorOf(reference.Map));
            BinaryPrimitives.WriteInt32LittleEndian(instruction[12..], reference.ValueOffset ?? 0);
        }

        return code;
    }
}

/// <param name="Offset">Of the instruction, in bytes.</param>
/// <param name="ValueOffset">For an address inside the map's only value; null for the map itself.</param>
internal readonly record struct MapReference(int Offset, string Map, int? ValueOffset);
