using System.Runtime.CompilerServices;
using System.Text;

namespace Couic.Native;

/// <summary>The kernel's 16 bytes for the name of a map or program, the last of them zero.</summary>
[InlineArray(Size)]
internal struct bpf_obj_name
{
    public const int Size = 16;

    private byte _first;

    /// <summary>As much of the name as the kernel keeps, with what it refuses replaced, as libbpf does.</summary>
    public static bpf_obj_name From(string name)
    {
        bpf_obj_name result = default;
        for (int i = 0; i < Math.Min(name.Length, Size - 1); i++)
        {
            result[i] = char.IsAsciiLetterOrDigit(name[i]) || name[i] is '_' or '.' ? (byte)name[i] : (byte)'_';
        }

        return result;
    }

    public override readonly string ToString()
    {
        ReadOnlySpan<byte> bytes = this;
        int end = bytes.IndexOf((byte)0);
        return Encoding.ASCII.GetString(bytes[..(end < 0 ? Size : end)]);
    }
}
