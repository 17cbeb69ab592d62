using System.Buffers.Binary;

namespace Couic.Bpf.Elf;

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
