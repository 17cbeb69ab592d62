using Couic.Bpf;
using Couic.Native;

namespace Couic.Daemon;

/// <summary>
/// Keeps the program attached to the configured interfaces: to each as soon as it exists, and to a renamed one as long as it exists. Not
/// thread-safe.
/// </summary>
internal sealed class InterfaceTracker(IInterfaceTable table, IReadOnlyList<string> configured, TimeProvider time) : IDisposable
{
    /// <summary>Renamed interfaces that stay attached; beyond it the earliest is detached, which bounds a script that renames.</summary>
    internal const int MaxRenamed = 64;

    /// <summary>Retry intervals after a failed attachment; a changed interface is retried at once.</summary>
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1), LongestRetry = TimeSpan.FromMinutes(1);

    private readonly Dictionary<int, Tracked> _tracked = [];
    private readonly Dictionary<string, Refusal> _refusals = [];
    private uint _attachments;
    private bool _spareKept;

    /// <summary>Whether the kernel left it open in the last poll which interface a name leads to.</summary>
    public bool IsUncertain { get; private set; }

    /// <summary>Attaches where the program is missing, and returns the state of each configured interface.</summary>
    public IReadOnlyList<InterfaceState> Poll()
    {
        IsUncertain = false;
        UpdateTracked();
        var claimed = new HashSet<int>();
        List<InterfaceState> states = [.. configured.Select(name => Resolve(name, claimed))];
        AddRenamed(states, claimed);
        return states;
    }

    /// <summary>
    /// As <see cref="Poll"/>, but detaches everything unless every interface is attached. Links that an earlier process has left are
    /// taken over last, so that a failure leaves them as they were.
    /// </summary>
    public IReadOnlyList<InterfaceState> PollAllOrNone()
    {
        _spareKept = true;
        IReadOnlyList<InterfaceState> states = Poll();
        _spareKept = false;
        states = states.All(state => state.IsAttached) ? Poll() : states;
        if (states.Any(state => !state.IsAttached))
        {
            foreach ((int index, _) in _tracked.Where(t => !t.Value.Attachment.IsTakenOver).ToArray())
            {
                Release(index, isOurs: true);
            }

            _refusals.Clear();
        }

        return states;
    }

    /// <summary>Takes over an interface that already carries our program.</summary>
    public void Adopt(string name, in NetworkInterface found)
    {
        if (table.IsOurs(found))
        {
            _ = _tracked.TryAdd(found.Index, new Tracked(name, found, table.Adopt(found), 0));
        }
    }

    /// <summary>The links created since the last call, or all of them.</summary>
    public Dictionary<int, FileDescriptor> TakeLinks(bool all)
    {
        var links = new Dictionary<int, FileDescriptor>();
        foreach ((int index, Tracked tracked) in _tracked)
        {
            if (tracked.Attachment.Link is { } link && (all || tracked.IsNew))
            {
                links.Add(index, link);
            }

            tracked.IsNew = false;
        }

        return links;
    }

    /// <summary>Detaches everywhere, whatever else holds the links.</summary>
    public void DetachAll()
    {
        foreach (int index in _tracked.Keys.ToArray())
        {
            Release(index, isOurs: true);
        }
    }

    /// <summary>Closes every link: an interface stays attached when another process, a store or a name holds its link.</summary>
    public void Dispose()
    {
        foreach (Tracked tracked in _tracked.Values)
        {
            tracked.Attachment.Hold?.Dispose();
        }

        _tracked.Clear();
    }

    /// <summary>Updates the attached interfaces by index, which a new name does not change.</summary>
    private void UpdateTracked()
    {
        foreach ((int index, Tracked tracked) in _tracked.ToArray())
        {
            Errno errno = table.Find(index, out NetworkInterface now);
            if (errno == Errno.None && table.IsOurs(now))
            {
                tracked.Now = now;
            }
            else if (errno is Errno.None or Errno.ENODEV)
            {
                // Deleted or moved to another namespace; or the program was detached, or the index belongs to another interface.
                Release(index, isOurs: false);
                if (errno == Errno.None && now.Name == tracked.Now.Name)
                {
                    Attach(tracked.Configured, now);
                }
            }
        }
    }

    private InterfaceState Resolve(string name, HashSet<int> claimed)
    {
        Errno errno = table.Find(name, out NetworkInterface now);
        if (errno == Errno.ENODEV)
        {
            _refusals.Remove(name);
            return Missing(name);
        }

        if (errno != Errno.None)
        {
            IsUncertain = true;
            Tracked? last = _tracked.Values.FirstOrDefault(t => t.Configured == name && !claimed.Contains(t.Now.Index));
            return last is null
                ? new InterfaceState(name, name, 0, "", AttachState.Failed, $"ask the kernel for it: {errno.Text()}")
                : Claim(last, name, claimed);
        }

        if (_tracked.TryGetValue(now.Index, out Tracked? tracked))
        {
            tracked.Now = now;
            return Claim(tracked, name, claimed);
        }

        if (_spareKept && table.IsKept(now))
        {
            return InterfaceState.Attached(name, now.Name, now.Index, XdpAttacher.ModeOf(now));
        }

        InterfaceState? refused = Attach(name, now);
        return refused ?? Claim(_tracked[now.Index], name, claimed);
    }

    private static InterfaceState Claim(Tracked tracked, string name, HashSet<int> claimed)
    {
        tracked.Configured = name;
        claimed.Add(tracked.Now.Index);
        return tracked.State();
    }

    /// <returns>Null after success.</returns>
    private InterfaceState? Attach(string name, in NetworkInterface target)
    {
        (int Index, bool IsUp, uint Mtu, byte Attached, uint Program) conditions =
            (target.Index, target.IsUp, target.Mtu, target.XdpAttached, target.XdpProgram);
        bool again = _refusals.TryGetValue(name, out Refusal? before) && before.Conditions == conditions;
        if (again && time.GetElapsedTime(before!.At) < before.Delay)
        {
            return before.State;
        }

        try
        {
            bool isOurs = table.IsOurs(target);
            Attachment attachment = isOurs ? table.Adopt(target) : table.Attach(target);
            _tracked.Add(target.Index, new Tracked(name, target, attachment, isOurs ? 0 : ++_attachments));
            _refusals.Remove(name);
            return null;
        }
        catch (BpfException e)
        {
            InterfaceState state = e.Errno == Errno.ENODEV ? Missing(name) : InterfaceState.Refused(name, target.Name, target.Index, e);
            TimeSpan delay = again ? before!.Delay * 2 : FirstRetry;
            _refusals[name] = new Refusal(conditions, time.GetTimestamp(), delay < LongestRetry ? delay : LongestRetry, state);
            return state;
        }
    }

    /// <summary>Adds interfaces that no configured name leads to any more, in place of the missing name that they had.</summary>
    private void AddRenamed(List<InterfaceState> states, HashSet<int> claimed)
    {
        Tracked[] renamed = [.. _tracked.Values.Where(t => !claimed.Contains(t.Now.Index)).OrderBy(t => t.Number)];
        foreach (Tracked surplus in renamed.SkipLast(MaxRenamed))
        {
            Release(surplus.Now.Index, isOurs: true);
        }

        foreach (Tracked tracked in renamed.TakeLast(MaxRenamed))
        {
            int missing = states.FindIndex(s => s.Configured == tracked.Configured && s.State == AttachState.Missing);
            if (missing >= 0)
            {
                states[missing] = tracked.State();
            }
            else
            {
                states.Add(tracked.State());
            }
        }
    }

    /// <param name="isOurs">False when the program is gone: then an attachment without a link is left alone, as it may be another program's.</param>
    private void Release(int index, bool isOurs)
    {
        if (_tracked.Remove(index, out Tracked? tracked) && (isOurs || tracked.Attachment.Link is not null))
        {
            table.Detach(tracked.Attachment);
        }
    }

    private static InterfaceState Missing(string name) => new(name, name, 0, "", AttachState.Missing, "no such interface");

    private sealed class Tracked(string configured, NetworkInterface now, Attachment attachment, uint number)
    {
        public string Configured { get; set; } = configured;

        public NetworkInterface Now { get; set; } = now;

        public Attachment Attachment { get; } = attachment;

        public uint Number { get; } = number;

        /// <summary>Whether its link has not been sent yet.</summary>
        public bool IsNew { get; set; } = true;

        public InterfaceState State() =>
            InterfaceState.Attached(Configured, Now.Name, Now.Index, Attachment.Mode) with
            {
                Program = Attachment.Program,
                Attachment = Number,
                IsTakenOver = Attachment.IsTakenOver,
                Gap = Attachment.Gap,
                Unpinned = Attachment.Unpinned,
            };
    }

    private sealed record Refusal((int Index, bool IsUp, uint Mtu, byte Attached, uint Program) Conditions, long At, TimeSpan Delay, InterfaceState State);
}
