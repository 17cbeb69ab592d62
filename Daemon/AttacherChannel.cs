using System.Runtime.InteropServices;
using System.Text;
using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>What a message of the attacher, or its end, has brought.</summary>
internal enum AttacherNews
{
    /// <summary>Part of an answer.</summary>
    Part,

    /// <summary>The answer is complete.</summary>
    Answer,

    /// <summary>The attacher has ended.</summary>
    Lost,
}

/// <summary>
/// The daemon's end of the channel to <see cref="AttacherProcess"/>. It holds copies of the links, so that the filter stays when
/// the attacher is killed. For one thread, but for <see cref="States"/> and <see cref="IsLost"/>.
/// </summary>
internal sealed class AttacherChannel(MessageChannel channel) : IDisposable
{
    /// <summary>For the attacher to detach and end when the daemon stops.</summary>
    private static readonly TimeSpan EndGrace = TimeSpan.FromSeconds(2);

    private readonly byte[] _buffer = new byte[AttacherReply.MaxBytes];
    private readonly List<SafeFileHandle> _received = [];
    private readonly List<InterfaceState> _partial = [];
    private readonly Dictionary<int, SafeFileHandle> _arrived = [];
    private Dictionary<int, SafeFileHandle> _links = [];
    private MessageChannel _channel = channel;
    private bool _lacksLinks, _partLacksLinks;
    private volatile IReadOnlyList<InterfaceState> _states = [];
    private volatile bool _isLost;

    /// <summary>What was last reported of each interface.</summary>
    public IReadOnlyList<InterfaceState> States => _states;

    /// <summary>Whether the attacher has ended: what is attached stays so, and what changes is not attached again.</summary>
    public bool IsLost => _isLost;

    /// <summary>Readable when there is news.</summary>
    public SafeHandle Handle => _channel.Handle;

    /// <summary>Interfaces whose link is held here as well.</summary>
    internal int LinkCount => _links.Count;

    /// <summary>Why the attacher has ended, if it said so; empty else.</summary>
    public string Failure { get; private set; } = "";

    /// <summary>Has the attacher attach whatever is not attached. False when it has ended.</summary>
    public bool Ask()
    {
        if (!_isLost && !_channel.Send(_lacksLinks ? AttacherProcess.LookAndSendLinks : AttacherProcess.Look))
        {
            Lose("");
        }

        return !_isLost;
    }

    /// <summary>Takes the next message; waits for it.</summary>
    public AttacherNews Receive()
    {
        _received.Clear();
        int length = _channel.Receive(_buffer, _received);
        if (length == 0 || _buffer[0] == AttacherService.Failed)
        {
            Lose(length == 0 ? "" : Encoding.UTF8.GetString(_buffer, 1, length - 1));
            return AttacherNews.Lost;
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

        // Without a free descriptor the kernel leaves some out; the next answer brings all again.
        _partLacksLinks |= next > _received.Count;
        if (!isLast)
        {
            return AttacherNews.Part;
        }

        Publish();
        return AttacherNews.Answer;
    }

    /// <summary>Goes on with another attacher; the links of the one that ended stay here.</summary>
    public void Replace(MessageChannel channel)
    {
        _channel = channel;
        _isLost = false;
    }

    /// <summary>What the daemon sees for itself while there is no attacher.</summary>
    public void Observe(IReadOnlyList<InterfaceState> states)
    {
        _states = states;
        DropLinks();
    }

    /// <summary>Detaches everywhere, and waits a while until that is done.</summary>
    public void Dispose()
    {
        Forget();
        foreach (SafeFileHandle link in _links.Values)
        {
            link.Dispose();
        }

        _links = [];
        if (!_isLost)
        {
            _channel.EndSending();
            _channel.WaitForEnd(EndGrace);
            _channel.Dispose();
        }
    }

    private void Lose(string failure)
    {
        Forget();
        _channel.Dispose();
        Failure = failure;
        _isLost = true;
    }

    private void Publish()
    {
        foreach ((int index, SafeFileHandle link) in _arrived)
        {
            if (_links.Remove(index, out SafeFileHandle? old))
            {
                old.Dispose();
            }

            _links.Add(index, link);
        }

        _lacksLinks = _partLacksLinks;
        _states = [.. _partial];
        _arrived.Clear(); // their owner is _links now
        Forget();
        DropLinks();
    }

    /// <summary>A copy of a link that the attacher has closed would keep an interface filtered that is ours no longer.</summary>
    private void DropLinks()
    {
        HashSet<int> attached = [.. _states.Where(s => s.IsAttached).Select(s => s.Index)];
        foreach (int index in _links.Keys.Where(index => !attached.Contains(index)).ToArray())
        {
            _links[index].Dispose();
            _links.Remove(index);
        }
    }

    /// <summary>Half an answer is none.</summary>
    private void Forget()
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
/// The attacher's answer in as many messages as it takes: a socket carries 253 descriptors a message, and as many bytes as its buffer
/// has room for. A message is a line that says whether more follow, then an <see cref="InterfaceState"/> per line; "+" before it says
/// that its link is the next of the message's descriptors, "-" that none comes with it.
/// </summary>
internal static class AttacherReply
{
    /// <summary>Bytes of a message; a line has under 1,200.</summary>
    public const int MaxBytes = 16 * 1024;

    /// <summary>Descriptors of a message: below SCM_MAX_FD of linux/net/scm.h.</summary>
    public const int MaxLinks = 128;

    private const string More = "more\n", Last = "last\n";

    /// <summary>The messages, in their order.</summary>
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

            // An interface may have two names here, and has one link.
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
    /// <param name="states">With each whether a link comes with it.</param>
    /// <returns>Whether it was the last one.</returns>
    public static bool Decode(ReadOnlySpan<byte> message, out List<(InterfaceState State, bool HasLink)> states)
    {
        string[] lines = Encoding.UTF8.GetString(message).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        states = [.. lines.Skip(1).Select(line => (InterfaceState.FromLine(line[1..]), line[0] == '+'))];
        return lines.Length == 0 || lines[0] + "\n" == Last;
    }
}
