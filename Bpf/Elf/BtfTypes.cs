using System.Buffers.Binary;
using System.Text;

namespace Couic.Bpf.Elf;

/// <summary>
/// The types of an object (BPF Type Format, Documentation/bpf/btf.rst of the kernel). Whatever the bytes are, reading either
/// succeeds or throws <see cref="BpfException"/>.
/// </summary>
internal sealed class BtfTypes
{
    private const ushort Magic = 0xeb9f;
    private const int MinHeaderSize = 24;
    private const int MaxDepth = 32;

    private readonly byte[] _data;
    private readonly int _names;
    private readonly int _namesLength;
    private readonly List<BtfType> _types = [default];

    private BtfTypes(ReadOnlySpan<byte> data)
    {
        _data = data.ToArray();
        if (_data.Length < MinHeaderSize || BinaryPrimitives.ReadUInt16LittleEndian(_data) != Magic)
        {
            throw ElfFile.Malformed("section \".BTF\" has no BTF header");
        }

        ulong headerSize = U32(4);
        ulong types = headerSize + U32(8);
        ulong typesEnd = types + U32(12);
        ulong names = headerSize + U32(16);
        ulong namesEnd = names + U32(20);
        if (typesEnd > (ulong)_data.Length || namesEnd > (ulong)_data.Length)
        {
            throw ElfFile.Malformed("section \".BTF\" ends before its types or names do");
        }

        _names = (int)names;
        _namesLength = (int)(namesEnd - names);
        for (int at = (int)types; at < (int)typesEnd;)
        {
            BtfType type = ReadType(at, (int)typesEnd);
            _types.Add(type);
            at = type.Extra + type.ExtraLength;
        }
    }

    /// <summary>The whole section; what was set by <see cref="SetSection"/> included.</summary>
    public ReadOnlyMemory<byte> Data => _data;

    public int Count => _types.Count;

    public BtfType this[uint id] => id < (uint)_types.Count ? _types[(int)id] : throw ElfFile.Malformed($"BTF type {id} of {_types.Count}");

    public static BtfTypes Read(ReadOnlySpan<byte> data) => new(data);

    /// <summary>The first type of that kind and name; 0 if there is none.</summary>
    public uint Find(BtfKind kind, string name)
    {
        for (uint id = 1; id < (uint)_types.Count; id++)
        {
            if (_types[(int)id].Kind == kind && NameOf(id) == name)
            {
                return id;
            }
        }

        return 0;
    }

    public string NameOf(uint id) => Name(this[id].NameOffset);

    /// <summary>The name at an offset of the table of names.</summary>
    public string NameAt(uint offset) => Name(offset);

    /// <summary>The members of a struct or union: bits from its start.</summary>
    public IEnumerable<BtfMember> Members(uint id)
    {
        BtfType type = this[id];
        for (int i = 0; type.Kind is BtfKind.Struct or BtfKind.Union && i < type.Count; i++)
        {
            int at = type.Extra + (i * 12);
            yield return new BtfMember(Name(U32(at)), U32(at + 4), U32(at + 8) & 0xffffff);
        }
    }

    /// <summary>The variables of a section: their type ids.</summary>
    public IEnumerable<uint> Variables(uint id)
    {
        BtfType type = this[id];
        for (int i = 0; type.Kind == BtfKind.Section && i < type.Count; i++)
        {
            yield return U32(type.Extra + (i * 12));
        }
    }

    /// <summary>The number of elements of an array type.</summary>
    public uint ArrayLength(uint id) => this[id].Kind == BtfKind.Array ? U32(this[id].Extra + 8) : throw ElfFile.Malformed($"BTF type {id} is not an array");

    /// <summary>The type without typedefs and qualifiers.</summary>
    public uint Strip(uint id)
    {
        for (int depth = 0; depth < MaxDepth; depth++)
        {
            if (this[id].Kind is not (BtfKind.Typedef or BtfKind.Volatile or BtfKind.Const or BtfKind.Restrict or BtfKind.TypeTag))
            {
                return id;
            }

            id = this[id].SizeOrType;
        }

        throw ElfFile.Malformed($"BTF type {id} nests too deep");
    }

    /// <summary>Size in bytes.</summary>
    public uint SizeOf(uint id)
    {
        ulong factor = 1;
        for (int depth = 0; depth < MaxDepth; depth++)
        {
            id = Strip(id);
            BtfType type = this[id];
            switch (type.Kind)
            {
                case BtfKind.Pointer:
                    return checked((uint)Math.Min(factor * 8, uint.MaxValue));
                case BtfKind.Array:
                    factor = Math.Min(factor * ArrayLength(id), uint.MaxValue);
                    id = U32(type.Extra);
                    break;
                case BtfKind.Int or BtfKind.Struct or BtfKind.Union or BtfKind.Enum or BtfKind.Float or BtfKind.Enum64:
                    return (uint)Math.Min(factor * type.SizeOrType, uint.MaxValue);
                default:
                    throw ElfFile.Malformed($"BTF type {id} has no size");
            }
        }

        throw ElfFile.Malformed($"BTF type {id} nests too deep");
    }

    /// <summary>
    /// Fills in a section's size and its variables' offsets, which clang leaves zero for the linker and the kernel insists on.
    /// The kernel wants them in ascending order.
    /// </summary>
    public void SetSection(uint id, uint size, Func<string, uint> offsetOf)
    {
        BtfType type = this[id];
        BinaryPrimitives.WriteUInt32LittleEndian(_data.AsSpan(type.Extra - 4), size);
        var variables = new List<(uint Offset, uint Type, uint Size)>();
        for (int i = 0; i < type.Count; i++)
        {
            int at = type.Extra + (i * 12);
            variables.Add((offsetOf(NameOf(U32(at))), U32(at), U32(at + 8)));
        }

        variables.Sort();
        for (int i = 0; i < type.Count; i++)
        {
            Span<byte> entry = _data.AsSpan(type.Extra + (i * 12));
            BinaryPrimitives.WriteUInt32LittleEndian(entry, variables[i].Type);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], variables[i].Offset);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[8..], variables[i].Size);
        }
    }

    private BtfType ReadType(int at, int end)
    {
        if (end - at < 12)
        {
            throw ElfFile.Malformed("section \".BTF\" ends in the middle of a type");
        }

        uint info = U32(at + 4);
        var kind = (BtfKind)((info >> 24) & 0x1f);
        int count = (int)(info & 0xffff);
        int extra = kind switch
        {
            BtfKind.Int or BtfKind.Variable or BtfKind.DeclTag => 4,
            BtfKind.Array => 12,
            BtfKind.Struct or BtfKind.Union or BtfKind.Section or BtfKind.Enum64 => count * 12,
            BtfKind.Enum or BtfKind.Prototype => count * 8,
            BtfKind.Pointer or BtfKind.Forward or BtfKind.Typedef or BtfKind.Volatile or BtfKind.Const or BtfKind.Restrict
                or BtfKind.Function or BtfKind.Float or BtfKind.TypeTag => 0,
            _ => throw ElfFile.Malformed($"BTF kind {(int)kind} is unknown"),
        };
        return extra <= end - at - 12
            ? new BtfType(kind, U32(at), count, U32(at + 8), at + 12, extra)
            : throw ElfFile.Malformed("section \".BTF\" ends in the middle of a type");
    }

    private uint U32(int at) => BinaryPrimitives.ReadUInt32LittleEndian(_data.AsSpan(at));

    private string Name(uint offset)
    {
        if (offset >= (uint)_namesLength)
        {
            throw ElfFile.Malformed($"BTF name at {offset} of {_namesLength}");
        }

        ReadOnlySpan<byte> rest = _data.AsSpan(_names, _namesLength)[(int)offset..];
        int end = rest.IndexOf((byte)0);
        return end >= 0 ? Encoding.ASCII.GetString(rest[..end]) : throw ElfFile.Malformed($"BTF name at {offset} has no end");
    }
}

internal enum BtfKind : byte
{
    Int = 1,
    Pointer,
    Array,
    Struct,
    Union,
    Enum,
    Forward,
    Typedef,
    Volatile,
    Const,
    Restrict,
    Function,
    Prototype,
    Variable,
    Section,
    Float,
    DeclTag,
    TypeTag,
    Enum64,
}

/// <param name="SizeOrType">By kind: a size in bytes, or the id of the type that this one is made from.</param>
/// <param name="Extra">Where in the section what belongs to the kind begins.</param>
internal readonly record struct BtfType(BtfKind Kind, uint NameOffset, int Count, uint SizeOrType, int Extra, int ExtraLength);

/// <param name="BitOffset">From the start of the struct.</param>
internal readonly record struct BtfMember(string Name, uint Type, uint BitOffset);

/// <summary>The section <c>.BTF.ext</c>: which function and which source line an instruction belongs to.</summary>
internal static class BtfLines
{
    private const ushort Magic = 0xeb9f;
    private const int InstructionSize = 8;

    /// <summary>The records for one section of code, as the kernel wants them: offsets counted in instructions.</summary>
    /// <param name="table">0 for functions, 1 for lines.</param>
    /// <param name="recordSize">Bytes of a record that the kernel is given; a compiler may write longer ones.</param>
    public static byte[] Read(ReadOnlySpan<byte> data, int table, int recordSize, Func<uint, bool> isSection)
    {
        if (data.Length < 24 || BinaryPrimitives.ReadUInt16LittleEndian(data) != Magic)
        {
            throw ElfFile.Malformed("section \".BTF.ext\" has no header");
        }

        var reader = new Cursor(data, (ulong)U32(data, 4) + U32(data, 8 + (table * 8)), U32(data, 12 + (table * 8)));
        var records = new List<byte>();
        if (reader.AtEnd)
        {
            return [];
        }

        uint written = reader.U32();
        if (written < recordSize)
        {
            throw ElfFile.Malformed($"section \".BTF.ext\" has records of {written} bytes (expected {recordSize})");
        }

        Span<byte> offset = stackalloc byte[4];
        while (!reader.AtEnd)
        {
            bool wanted = isSection(reader.U32());
            for (uint left = reader.U32(); left > 0; left--)
            {
                ReadOnlySpan<byte> record = reader.Take(written)[..recordSize];
                if (wanted)
                {
                    BinaryPrimitives.WriteUInt32LittleEndian(offset, U32(record, 0) / InstructionSize);
                    records.AddRange(offset);
                    records.AddRange(record[4..]);
                }
            }
        }

        return [.. records];
    }

    private static uint U32(ReadOnlySpan<byte> data, int at) => BinaryPrimitives.ReadUInt32LittleEndian(data[at..]);

    private ref struct Cursor
    {
        private ReadOnlySpan<byte> _rest;

        public Cursor(ReadOnlySpan<byte> data, ulong offset, uint length)
        {
            if (offset > (ulong)data.Length || length > (ulong)data.Length - offset)
            {
                throw ElfFile.Malformed("section \".BTF.ext\" ends before its tables do");
            }

            _rest = data.Slice((int)offset, (int)length);
        }

        public readonly bool AtEnd => _rest.IsEmpty;

        public uint U32() => BtfLines.U32(Take(4), 0);

        public ReadOnlySpan<byte> Take(uint length)
        {
            if (length > (uint)_rest.Length)
            {
                throw ElfFile.Malformed("section \".BTF.ext\" ends in the middle of a record");
            }

            ReadOnlySpan<byte> taken = _rest[..(int)length];
            _rest = _rest[(int)length..];
            return taken;
        }
    }
}
