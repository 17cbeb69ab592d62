using System.Runtime.InteropServices;
using System.Text;
using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>The result of receiving a message from the attacher.</summary>
internal enum AttacherEvent
{
    /// <summary>Part of a reply.</summary>
    Part,

    /// <summary>The reply is complete.</summary>
    Reply,

    /// <summary>The attacher has ended.</summary>
    Lost,
}

/// <summary>
/// The daemon's end of the channel to <see cref="AttacherProcess"/>. It holds copies of the links, so that the filter stays attached when
/// the attacher is killed, and passes them to each new attacher. For one thread, except <see cref="States"/>, <see cref="Since"/> and
/// <see cref="IsLost"/>.
/// </summary>
/// <param name="kept">Links that an earlier process has left; owned by this object.</param>
internal sealed class AttacherChannel(MessageChannel channel, TimeProvider time, IReadOnlyList<HeldLink> kept) : IDisposable
{
    /// <summary>How long the attacher may take to detach and end when the daemon stops.</summary>
    private static readonly TimeSpan EndGrace = TimeSpan.FromSeconds(2);

    private readonly byte[] _buffer = new byte[AttacherReply.MaxBytes];
    private readonly List<SafeFileHandle> _received = [];
    private readonly List<InterfaceState> _partial = [];
    private readonly Dictionary<int, SafeFileHandle> _arrived = [];
    private readonly List<HeldLink> _kept = [.. kept];
    private readonly List<int> _detached = [];
    private readonly Dictionary<uint, long> _since = kept.ToDictionary(link => link.Name.Id, link => link.Name.Since);
    private Dictionary<int, HeldLink> _links = [];
    private MessageChannel _channel = channel;
    private bool _lacksLinks, _partLacksLinks, _isIntroduced;
    private volatile IReadOnlyList<InterfaceState> _states = [];
    private volatile IReadOnlyDictionary<int, long> _attachedSince = new Dictionary<int, long>();
    private volatile bool _isLost;

    /// <summary>The last reported state of each interface.</summary>
    public IReadOnlyList<InterfaceState> States => _states;

    /// <summary>When each interface was attached, by index, in seconds since 1970. A restart without a gap does not change it.</summary>
    public IReadOnlyDictionary<int, long> Since => _attachedSince;

    /// <summary>Whether the attacher has ended: the filter stays attached, but is not attached to interfaces that change.</summary>
    public bool IsLost => _isLost;

    /// <summary>Readable when a message has arrived.</summary>
    public SafeHandle Handle => _channel.Handle;

    /// <summary>
    /// The links that hold the filter: those of attached interfaces, and those of an earlier process that are still attached elsewhere. Null
    /// before the first reply.
    /// </summary>
    public IReadOnlyCollection<HeldLink>? Links { get; private set; }

    /// <summary>Interfaces whose link this process holds too.</summary>
    internal int LinkCount => _links.Count;

    /// <summary>The cause that the attacher reported before it ended; otherwise empty.</summary>
    public string Failure { get; private set; } = "";

    /// <summary>Asks the attacher to attach to the interfaces that lack the program. False when it has ended.</summary>
    public bool Ask()
    {
        if (!_isLost && !(Introduce() && _channel.Send(_lacksLinks ? AttacherProcess.PollWithAllLinks : AttacherProcess.Poll)))
        {
            OnLost("");
        }

        return !_isLost;
    }

    /// <summary>Waits for the next message.</summary>
    public AttacherEvent Receive()
    {
        _received.Clear();
        int length = _channel.Receive(_buffer, _received);
        if (length == 0 || _buffer[0] == AttacherService.Failed)
        {
            OnLost(length == 0 ? "" : Encoding.UTF8.GetString(_buffer, 1, length - 1));
            return AttacherEvent.Lost;
        }

        bool isLast = AttacherReply.Decode(_buffer.AsSpan(0, length), out List<(InterfaceState State, bool HasLink)> states);
        int next = 0;
        foreach ((InterfaceState state, bool hasLink) in states)
        {
            _partial.Add(state);
            if (hasLink && next < _received.Count)
            {
                _arrived.Add(state.Index, _received[next]);
            }

            next += hasLink ? 1 : 0;
        }

        // Out of descriptors, the kernel drops some; the next request asks for all links.
        _partLacksLinks |= next > _received.Count;
        if (!isLast)
        {
            return AttacherEvent.Part;
        }

        Publish();
        return AttacherEvent.Reply;
    }

    /// <summary>Continues with another attacher; the links of the previous one stay open.</summary>
    public void Replace(MessageChannel channel)
    {
        _channel = channel;
        _isLost = _isIntroduced = false;
    }

    /// <summary>Detaches everywhere, whatever else holds the links. Without an attacher, nothing can.</summary>
    public void DetachAll() => _ = !_isLost && _channel.Send(AttacherProcess.Detach);

    /// <summary>Interfaces of an earlier process that the attacher has detached, since the last call.</summary>
    public int[] TakeDetached()
    {
        int[] taken = [.. _detached];
        _detached.Clear();
        return taken;
    }

    /// <summary>Sets the states that the daemon observes while it has no attacher.</summary>
    public void Observe(IReadOnlyList<InterfaceState> states)
    {
        _states = states;
        DropLinks();
        SettleKept();
    }

    /// <summary>Closes the links and waits for the attacher to end. An interface stays attached when its link is kept elsewhere.</summary>
    public void Dispose()
    {
        DiscardPartial();
        foreach (HeldLink link in _links.Values.Concat(_kept))
        {
            link.Handle.Dispose();
        }

        _links = [];
        _kept.Clear();
        if (!_isLost)
        {
            _channel.EndSending();
            _channel.WaitForEnd(EndGrace);
            _channel.Dispose();
        }
    }

    private void OnLost(string failure)
    {
        DiscardPartial();
        _channel.Dispose();
        Failure = failure;
        _isLost = true;
    }

    /// <summary>Passes the links to an attacher that does not have them.</summary>
    private bool Introduce()
    {
        if (!_isIntroduced)
        {
            foreach (HeldLink[] links in _links.Values.Concat(_kept).Chunk(AttacherReply.MaxLinks))
            {
                if (!_channel.Send(AttacherProcess.Keep, [.. links.Select(link => (int)link.Handle.DangerousGetHandle())]))
                {
                    return false;
                }
            }
        }

        return _isIntroduced = true;
    }

    private void Publish()
    {
        long now = time.GetUtcNow().ToUnixTimeSeconds();
        foreach ((int index, SafeFileHandle handle) in _arrived)
        {
            HeldLink link = HeldLink.Of(handle, now) ?? new HeldLink(handle, new LinkName(0, now), index);
            long since = _since.GetValueOrDefault(link.Name.Id, now);
            if (_links.Remove(index, out HeldLink? old))
            {
                since = old.Name.Id == link.Name.Id ? old.Name.Since : since;
                old.Handle.Dispose();
            }

            _links.Add(index, link with { Name = link.Name with { Since = since } });
        }

        _lacksLinks = _partLacksLinks;
        _states = [.. _partial];
        _arrived.Clear(); // _links owns them now
        DiscardPartial();
        DropLinks();
        SettleKept();
    }

    /// <summary>Closes the links of an earlier process that have been taken over or detached.</summary>
    private void SettleKept()
    {
        foreach (HeldLink link in _kept.ToArray())
        {
            bool isTakenOver = _links.Values.Any(held => held.Name.Id == link.Name.Id);
            if (isTakenOver || HeldLink.Of(link.Handle, 0) is not { Interface: not 0 })
            {
                _kept.Remove(link);
                link.Handle.Dispose();
                _detached.AddRange(isTakenOver ? [] : [link.Interface]);
            }
        }

        Links = [.. _links.Values, .. _kept];
    }

    /// <summary>A copy of a link that the attacher has closed would keep an interface filtered that is no longer configured.</summary>
    private void DropLinks()
    {
        HashSet<int> attached = [.. _states.Where(s => s.IsAttached).Select(s => s.Index)];
        foreach (int index in _links.Keys.Where(index => !attached.Contains(index)).ToArray())
        {
            _links[index].Handle.Dispose();
            _links.Remove(index);
        }

        _attachedSince = _links.ToDictionary(link => link.Key, link => link.Value.Name.Since);
    }

    /// <summary>Discards an incomplete reply.</summary>
    private void DiscardPartial()
    {
        foreach (SafeFileHandle link in _arrived.Values)
        {
            link.Dispose();
        }

        _arrived.Clear();
        _partial.Clear();
        _partLacksLinks = false;
    }
}

/// <summary>
/// The attacher's reply, split into messages: a socket carries 253 descriptors per message, and as many bytes as its buffer holds. The
/// first line of a message is "more" or "last"; each other line is an <see cref="InterfaceState"/>, after "+" if its link is the next of
/// the message's descriptors, otherwise after "-".
/// </summary>
internal static class AttacherReply
{
    /// <summary>Bytes of a message; a line has fewer than 2,000.</summary>
    public const int MaxBytes = 16 * 1024;

    /// <summary>Descriptors of a message: below SCM_MAX_FD of linux/net/scm.h.</summary>
    public const int MaxLinks = 128;

    private const string More = "more\n", Last = "last\n";

    /// <summary>The messages, in order.</summary>
    public static IEnumerable<(byte[] Text, int[] Links)> Encode(IReadOnlyList<InterfaceState> states, IReadOnlyDictionary<int, FileDescriptor> links)
    {
        var text = new StringBuilder();
        var numbers = new List<int>();
        int bytes = 0;
        var handed = new HashSet<int>();
        foreach (InterfaceState state in states)
        {
            string line = state.ToLine();
            int length = Encoding.UTF8.GetByteCount(line) + 2;
            if (bytes + length > MaxBytes - More.Length || numbers.Count == MaxLinks)
            {
                yield return (Encoding.UTF8.GetBytes(More + text), [.. numbers]);
                text.Clear();
                numbers.Clear();
                bytes = 0;
            }

            // An interface with two configured names has one link.
            bool comes = state.IsAttached && links.ContainsKey(state.Index) && handed.Add(state.Index);
            if (comes)
            {
                numbers.Add(links[state.Index].Number);
            }

            text.Append(comes ? '+' : '-').Append(line).Append('\n');
            bytes += length;
        }

        yield return (Encoding.UTF8.GetBytes(Last + text), [.. numbers]);
    }

    /// <summary>Reads a message.</summary>
    /// <param name="states">Each with whether the message carries its link.</param>
    /// <returns>Whether it is the last message.</returns>
    public static bool Decode(ReadOnlySpan<byte> message, out List<(InterfaceState State, bool HasLink)> states)
    {
        string[] lines = Encoding.UTF8.GetString(message).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        states = [.. lines.Skip(1).Select(line => (InterfaceState.FromLine(line[1..]), line[0] == '+'))];
        return lines.Length == 0 || lines[0] + "\n" == Last;
    }
}
