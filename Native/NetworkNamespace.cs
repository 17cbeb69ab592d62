using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

/// <summary>
/// A new, unnamed network namespace (network_namespaces(7)) with one thread: sockets opened and processes started on that thread
/// belong to the namespace. It ends with its last thread, socket, process and descriptor, so it cannot leak.
/// </summary>
internal sealed class NetworkNamespace : IDisposable
{
    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;

    /// <exception cref="UnauthorizedAccessException">CAP_SYS_ADMIN is missing.</exception>
    /// <exception cref="IOException">The call fails for another reason.</exception>
    public NetworkNamespace()
    {
        // A namespace belongs to a thread, and a pool thread would carry it into other work.
        _thread = new Thread(RunActions) { IsBackground = true, Name = "namespace" };
        _thread.Start();
        try
        {
            Handle = Run(Enter);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The namespace's descriptor, for requests that move an interface there.</summary>
    public SafeFileHandle? Handle { get; }

    /// <inheritdoc cref="Run{T}"/>
    public void Run(Action action) => Run(() =>
    {
        action();
        return 0;
    });

    /// <summary>Runs an action in the namespace and returns its result or rethrows its exception.</summary>
    public T Run<T>(Func<T> action)
    {
        using var done = new ManualResetEventSlim();
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
        Handle?.Dispose();
        _work.Dispose();
    }

    private static SafeFileHandle Enter()
    {
        if (Libc.unshare(Libc.CLONE_NEWNET) == 0)
        {
            return File.OpenHandle("/proc/thread-self/ns/net");
        }

        Errno errno = Libc.LastError;
        string message = $"create network namespace: {errno.Text()}";
        throw errno == Errno.EPERM ? new UnauthorizedAccessException(message) : new IOException(message);
    }

    private void RunActions()
    {
        foreach (Action action in _work.GetConsumingEnumerable())
        {
            action();
        }
    }
}
