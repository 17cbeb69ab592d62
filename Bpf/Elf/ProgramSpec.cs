using System.Buffers.Binary;

namespace Couic.Bpf.Elf;

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
