using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace Couic.IntegrationTests.Harness;

/// <summary>
/// A network namespace without a name: one thread lives in it, and what that thread opens or starts belongs to it. It is
/// gone with its last thread, socket, process and descriptor, so a killed test run leaves none.
/// </summary>
public sealed class NetSpace : IDisposable
{
    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;
    private int _fd = -1;

    public NetSpace()
    {
        _thread = new Thread(Live) { IsBackground = true, Name = "netspace" };
        _thread.Start();
        Do(() =>
        {
            Libc.Check(Libc.unshare(Libc.CLONE_NEWNET), "unshare network namespace (root is needed)");
            _fd = Libc.Check(Libc.open("/proc/thread-self/ns/net", 0x80000), "open /proc/thread-self/ns/net");
        });
        Shell.Check(this, "ip", "link", "set", "lo", "up");
    }

    /// <summary>A path that <c>nsenter --net=</c> and <c>ip link set … netns</c> take.</summary>
    public string Path => $"/proc/{Environment.ProcessId}/fd/{_fd}";

    public void Do(Action action) => Do(() =>
    {
        action();
        return 0;
    });

    /// <summary>Runs something inside the namespace and hands back its result or its exception.</summary>
    public T Do<T>(Func<T> action)
    {
        using ManualResetEventSlim done = new();
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        _work.Add(() =>
        {
            try
            {
                result = action();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }

            done.Set();
        });
        done.Wait();
        failure?.Throw();
        return result;
    }

    public void Dispose()
    {
        _work.CompleteAdding();
        _thread.Join();
        if (_fd >= 0)
        {
            _ = Libc.close(_fd);
        }
    }

    private void Live()
    {
        foreach (Action action in _work.GetConsumingEnumerable())
        {
            action();
        }
    }
}
