using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

/// <summary>
/// A fresh network namespace without a name (network_namespaces(7)). One thread lives in it: sockets that are opened and
/// processes that are started on it belong to the namespace. It ends with its last thread, socket, process and descriptor,
/// so nothing of it can be left behind.
/// </summary>
internal sealed class NetworkNamespace : IDisposable
{
    private readonly BlockingCollection<Action> _work = [];
    private readonly Thread _thread;

    /// <exception cref="UnauthorizedAccessException">CAP_SYS_ADMIN is missing.</exception>
    /// <exception cref="IOException">The kernel refuses for another reason.</exception>
    public NetworkNamespace()
    {
        // Namespaces belong to threads, and a thread of the pool would carry this one into other work.
        _thread = new Thread(Live) { IsBackground = true, Name = "namespace" };
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

    /// <summary>Refers to the namespace, for messages that move an interface there.</summary>
    public SafeFileHandle? Handle { get; }

    /// <inheritdoc cref="Run{T}"/>
    public void Run(Action action) => Run(() =>
    {
        action();
        return 0;
    });

    /// <summary>Runs something inside and hands back its result or its exception.</summary>
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
        string message = $"make network namespace: {errno.Text()}";
        throw errno == Errno.EPERM ? new UnauthorizedAccessException(message) : new IOException(message);
    }

    private void Live()
    {
        foreach (Action action in _work.GetConsumingEnumerable())
        {
            action();
        }
    }
}
