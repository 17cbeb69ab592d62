using System.Collections.Concurrent;

namespace Couic.IntegrationTests.Harness;

/// <summary>One thread of a process, held as a debugger holds it: what a stuck loop looks like. Continues when disposed.</summary>
internal sealed class StoppedThread : IDisposable
{
    // ptrace(2)
    private const int Seize = 0x4206, Interrupt = 0x4207, Detach = 17;

    // Only the thread that holds it may let it go.
    private readonly BlockingCollection<bool> _letGo = [];
    private readonly Thread _holder;

    /// <param name="name">The thread's name, of which the process has one.</param>
    public StoppedThread(int process, string name)
    {
        int id = 0;
        Eventually.Holds(
            () => (id = Directory.GetDirectories($"/proc/{process}/task")
                .Where(task => File.ReadAllText(Path.Combine(task, "comm")) == name + "\n")
                .Select(task => int.Parse(Path.GetFileName(task))).SingleOrDefault()) != 0,
            $"a thread \"{name}\" runs");
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
