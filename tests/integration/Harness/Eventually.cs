using System.Diagnostics;

namespace Couic.IntegrationTests.Harness;

/// <summary>Waits for what happens in its own time, with a bound that only a fault reaches.</summary>
internal static class Eventually
{
    public static void Holds(Func<bool> condition, string what, int seconds = 30)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(start) > TimeSpan.FromSeconds(seconds))
            {
                throw new InvalidOperationException($"not within {seconds} s: {what}");
            }

            Thread.Sleep(20);
        }
    }
}
