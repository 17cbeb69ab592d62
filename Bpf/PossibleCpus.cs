using System.Runtime.InteropServices;
using Couic.Native;

namespace Couic.Bpf;

/// <summary>How many CPUs the kernel may ever have: it copies that many elements for one key of a per-CPU map.</summary>
internal static class PossibleCpus
{
    private const ulong Pattern = 0xc0d1_f1ed_5eed_a5a5;
    private const int ElementWords = Layout.CounterSize / sizeof(ulong);

    /// <summary>More than any kernel is built for, where it does not say how wide its CPU masks are.</summary>
    private const int Most = 65_536;

    /// <summary>
    /// Measured, because /sys may be missing or show a container's view, and the kernel writes past a buffer that is too small:
    /// what it leaves of a pattern in a buffer that is large enough.
    /// </summary>
    /// <param name="counters">A new map of counters, all of them zero.</param>
    /// <exception cref="BpfException">The kernel does not read the map.</exception>
    public static int Count(FileDescriptor counters)
    {
        int bits = CpuMask.Bits();
        ulong[] words = new ulong[((bits > 0 ? bits : Most) + 1) * ElementWords];
        Array.Fill(words, Pattern);
        Errno errno = BpfSyscall.Lookup(counters, [0, 0, 0, 0], MemoryMarshal.AsBytes(words.AsSpan()));
        if (errno != Errno.None)
        {
            throw new BpfException($"count CPUs: read counters: {errno.Text()}", errno);
        }

        int written = words.AsSpan().IndexOf(Pattern);
        return written > 0 && written % ElementWords == 0 && !words.AsSpan(written).ContainsAnyExcept(Pattern)
            ? written / ElementWords
            : throw new BpfException($"count CPUs: {written} words of a counter make no sense");
    }
}
