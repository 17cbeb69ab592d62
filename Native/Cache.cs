using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Couic.Native;

/// <summary>
/// Has memory brought near before it is needed. Tables of hundreds of thousands of rules lie far away, 100 ns and more an access: who
/// changes many rules asks for all that they need first, and waits once instead of once for each.
/// </summary>
internal static class Cache
{
    /// <summary>Asks for the line that holds a value. It is not read, so anything may become of it; a processor without a way to ask does nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Fetch<T>(ref readonly T place)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(Unsafe.AsPointer(ref Unsafe.AsRef(in place)));
        }
    }
}
