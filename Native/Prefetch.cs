using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Couic.Native;

/// <summary>
/// Prefetches memory. Tables of hundreds of thousands of rules do not fit the caches: code that changes many rules prefetches all of them
/// first, so that the misses overlap.
/// </summary>
internal static class Prefetch
{
    /// <summary>Prefetches the line that holds a value. A processor without such an instruction does nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Line<T>(ref readonly T place)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(Unsafe.AsPointer(ref Unsafe.AsRef(in place)));
        }
    }
}
