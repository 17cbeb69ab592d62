using System.Collections.Concurrent;

namespace Couic.IntegrationTests.Harness;

/// <summary>One thread of a process, held as a debugger holds it: what a loop that is stuck looks like. Goes on when disposed.</summary>
internal sealed class StoppedThread : IDisposable
{
    // ptrace(2)
    private const int Seize = 0x4206, Interrupt = 0x4207, Detach = 17;

    // Only the thread that holds it may let it go.
    private readonly BlockingCollection<bool> _letGo = [];
    private readonly Thread _holder;

    /// <param name="calls">The system calls, by number, in which the thread that is meant waits, with a time limit: it alone of those without a name of their own.</param>
    public StoppedThread(int process, params string[] calls)
    {
        int id = 0;
        Eventually.Holds(
            () => (id = Directory.GetDirectories($"/proc/{process}/task")
                .Where(task => File.ReadAllText(Path.Combine(task, "syscall")).Split(' ') is { Length: > 4 } call
                    && File.ReadAllText(Path.Combine(task, "comm")) == "couic\n" && calls.Contains(call[0]) && !call[4].StartsWith("0xffffffff", StringComparison.Ordinal))
                .Select(task => int.Parse(Path.GetFileName(task))).SingleOrDefault()) != 0,
            "the thread waits");
        using ManualResetEventSlim stopped = new();
        Exception? failure = null;
        _holder = new Thread(() =>
        {
            try
            {
                Libc.Check((int)Libc.ptrace(Seize, id, 0, 0), $"hold thread {id}");
                Libc.Check((int)Libc.ptrace(Interrupt, id, 0, 0), $"stop thread {id}");
                // Not waitpid: the runtime looks after its children too, and whoever asks first gets the news.
                Eventually.Holds(() => File.ReadAllText($"/proc/{process}/task/{id}/stat").Contains(") t ", StringComparison.Ordinal), $"thread {id} stops");
            }
            catch (Exception e)
            {
                failure = e;
            }

            stopped.Set();
            _letGo.Take();
            _ = Libc.ptrace(Detach, id, 0, 0);
        })
        { IsBackground = true };
        _holder.Start();
        stopped.Wait();
        if (failure is not null)
        {
            throw failure;
        }
    }

    public void Dispose()
    {
        _letGo.Add(true);
        _holder.Join();
    }
}
