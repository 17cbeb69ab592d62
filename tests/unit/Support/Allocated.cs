namespace Couic.Tests.Support;

/// <summary>Managed memory that the present thread takes.</summary>
internal static class Allocated
{
    private const int Rounds = 5;

    /// <summary>
    /// Bytes of the round with the least, after one that is not counted. Now and then the runtime itself allocates on a thread, and code
    /// that was not compiled with optimizations yet puts structs in boxes: what allocates by itself does so in every round.
    /// </summary>
    public static long ByEachRound(Action action)
    {
        action();
        long least = long.MaxValue;
        for (int i = 0; i < Rounds && least > 0; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            action();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
