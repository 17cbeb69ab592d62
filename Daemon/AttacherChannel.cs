using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>The daemon's end of the channel to <see cref="AttacherProcess"/>. Thread-safe.</summary>
internal sealed class AttacherChannel(MessageChannel channel) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly byte[] _buffer = new byte[64 * 1024];

    // Copies of the links, so that the filter stays even if somebody kills the attacher.
    private List<SafeFileHandle> _links = [];

    /// <summary>What was last said of each interface.</summary>
    public IReadOnlyList<InterfaceState> States { get; private set; } = [];

    /// <summary>Whether the attacher has ended: what is attached stays so, and what changes is not attached again.</summary>
    public bool IsLost { get; private set; }

    /// <summary>Has the attacher attach whatever is not attached. Null when the attacher is gone.</summary>
    public IReadOnlyList<InterfaceState>? Look()
    {
        lock (_gate)
        {
            var links = new List<SafeFileHandle>();
            int length = channel.Send("look"u8) ? channel.Receive(_buffer, links) : 0;
            if (length == 0)
            {
                IsLost = true;
                return null;
            }

            _links.ForEach(link => link.Dispose());
            _links = links;
            return States = InterfaceState.Parse(_buffer.AsSpan(0, length));
        }
    }

    /// <summary>Detaches everywhere and waits until it is done.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _links.ForEach(link => link.Dispose());
            channel.EndSending();
            _ = channel.Receive(_buffer, []); // nothing comes but the end, when the attacher has exited
            channel.Dispose();
        }
    }
}
