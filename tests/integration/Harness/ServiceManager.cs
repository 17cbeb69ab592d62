using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Couic.IntegrationTests.Harness;

/// <summary>
/// The part of systemd that keeps descriptors: it receives notices at NOTIFY_SOCKET, stores what a process sends with FDSTORE=1, and passes
/// it to the next process (sd_notify(3), sd_listen_fds(3)).
/// </summary>
internal sealed class ServiceManager : IDisposable
{
    private readonly string _path;
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly Dictionary<string, int> _store = [];
    private readonly List<string> _notices = [];
    private readonly Thread _thread;

    public ServiceManager(Scratch scratch)
    {
        _path = scratch["notify"];
        _socket.Bind(new UnixDomainSocketEndPoint(_path));
        File.SetUnixFileMode(_path, (UnixFileMode)0b110_110_110);
        _thread = new Thread(Receive) { IsBackground = true, Name = "service manager" };
        _thread.Start();
    }

    public string[] Names
    {
        get
        {
            lock (_store)
            {
                return [.. _store.Keys.Order()];
            }
        }
    }

    /// <summary>Times that a process has reported that it is ready.</summary>
    public int Ready
    {
        get
        {
            lock (_store)
            {
                return _notices.Count(notice => notice.StartsWith("READY=1", StringComparison.Ordinal));
            }
        }
    }

    /// <summary>The options with the store: what it holds is passed to the process that they start.</summary>
    /// <param name="inherited">Duplicates that the process inherits; closed after its start.</param>
    public DaemonOptions Offer(DaemonOptions options, out InheritedDescriptors inherited)
    {
        lock (_store)
        {
            (string Name, int Number)[] held = [.. _store.Select(s => (s.Key, s.Value))];
            inherited = new InheritedDescriptors([.. held.Select(h => h.Number)]);
            string moves = string.Concat(inherited.Numbers.Select((from, i) => $"exec {3 + i}<&{from} {from}<&-; "));
            string script = $"{moves}export LISTEN_PID=$$ LISTEN_FDS={held.Length} LISTEN_FDNAMES={string.Join(':', held.Select(h => h.Name))}; exec \"$@\"";
            return options with
            {
                Launcher = held.Length == 0 ? [] : ["bash", "-c", script, "bash"],
                Environment = new(options.Environment) { ["NOTIFY_SOCKET"] = _path, ["FDSTORE"] = "16" },
            };
        }
    }

    /// <summary>Starts a daemon with the store.</summary>
    public Daemon Start(Lab lab, DaemonOptions options)
    {
        DaemonOptions offered = Offer(options, out InheritedDescriptors inherited);
        using (inherited)
        {
            return Daemon.Start(lab, offered);
        }
    }

    /// <summary>What a link is attached to and runs, as the kernel shows it: <c>ID PROGRAM</c>.</summary>
    public string Link(string name)
    {
        lock (_store)
        {
            Dictionary<string, string> info = File.ReadLines($"/proc/self/fdinfo/{_store[name]}").Select(l => l.Split(':', 2)).ToDictionary(f => f[0], f => f[1].Trim());
            return $"{info["link_id"]} {info["prog_id"]}";
        }
    }

    /// <summary>Puts a descriptor into the store, as a process would.</summary>
    public void Put(string name, int descriptor)
    {
        lock (_store)
        {
            _store[name] = Libc.Check(Libc.fcntl(descriptor, Libc.F_DUPFD_CLOEXEC, 3), "duplicate a descriptor");
        }
    }

    /// <summary>Lets everything go, as systemd does when the service is stopped.</summary>
    public void Release()
    {
        lock (_store)
        {
            foreach (int descriptor in _store.Values)
            {
                _ = Libc.close(descriptor);
            }

            _store.Clear();
        }
    }

    public void Dispose()
    {
        _socket.Shutdown(SocketShutdown.Both);
        _thread.Join();
        _socket.Dispose();
        Release();
    }

    private void Receive()
    {
        byte[] message = new byte[4096];
        while (Libc.Receive((int)_socket.Handle, message, out int descriptor) is > 0 and var length)
        {
            string text = Encoding.UTF8.GetString(message, 0, length);
            string? name = text.Split('\n').FirstOrDefault(l => l.StartsWith("FDNAME=", StringComparison.Ordinal))?["FDNAME=".Length..];
            lock (_store)
            {
                _notices.Add(text);
                if (text.StartsWith("FDSTORE=1", StringComparison.Ordinal) && name is not null && descriptor >= 0)
                {
                    _store.Add(name, descriptor);
                }
                else if (text.StartsWith("FDSTOREREMOVE=1", StringComparison.Ordinal) && name is not null && _store.Remove(name, out int stored))
                {
                    _ = Libc.close(stored);
                }
            }
        }
    }
}

/// <summary>Duplicates of descriptors that a started process inherits, until they are closed.</summary>
internal sealed class InheritedDescriptors(int[] originals) : IDisposable
{
    private const int F_DUPFD = 0;

    // High numbers, so that moving them down to 3, 4 ... overwrites none.
    public int[] Numbers { get; } = [.. originals.Select(number => Libc.Check(Libc.fcntl(number, F_DUPFD, 200), "duplicate a descriptor"))];

    public void Dispose() => Array.ForEach(Numbers, number => _ = Libc.close(number));
}
