using System.Globalization;
using Couic.Native;

namespace Couic.Bpf;

/// <summary>How many CPUs the kernel may ever have: as many elements does it copy for one key of a per-CPU map.</summary>
internal static class PossibleCpus
{
    private const string Path = "/sys/devices/system/cpu/possible";

    /// <summary>The number, or where /sys is not mounted (as in a chroot) one that is large enough: what is too much stays 0.</summary>
    /// <exception cref="BpfException">The kernel does not say.</exception>
    public static int Count()
    {
        try
        {
            return TryParse(File.ReadAllText(Path), out int count)
                ? count
                : throw new BpfException($"count CPUs: \"{Path}\" holds no list of numbers");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            int bits = CpuMask.Bits();
            return bits > 0 ? bits : throw new BpfException($"count CPUs: \"{Path}\" cannot be read (is /sys mounted?)", e);
        }
    }

    /// <summary>Reads <c>0-3,5</c>. What counts is the highest number, as the kernel numbers elements without gaps up to it.</summary>
    internal static bool TryParse(ReadOnlySpan<char> text, out int count)
    {
        ReadOnlySpan<char> list = text.Trim();
        ReadOnlySpan<char> last = list[(list.LastIndexOfAny(',', '-') + 1)..];
        bool good = int.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out int highest) && highest < 1 << 16;
        count = highest + 1;
        return good;
    }
}
