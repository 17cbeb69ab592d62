using System.Buffers.Binary;
using System.Numerics;

namespace Couic.Native;

/// <summary>A fast hash that detects whether a file's content has changed. It is not collision-resistant against an attacker.</summary>
public static class ContentHash
{
    private const ulong Multiplier = 0x9e3779b97f4a7c15;

    public static ulong Of(ReadOnlySpan<byte> content)
    {
        ulong hash = (ulong)content.Length * Multiplier;
        for (; content.Length >= sizeof(ulong); content = content[sizeof(ulong)..])
        {
            hash = Mix(hash, BinaryPrimitives.ReadUInt64LittleEndian(content));
        }

        foreach (byte last in content)
        {
            hash = Mix(hash, last);
        }

        return hash;
    }

    private static ulong Mix(ulong hash, ulong word)
    {
        hash = (hash ^ word) * Multiplier;
        return BitOperations.RotateLeft(hash, 29) ^ (hash >> 32);
    }
}
