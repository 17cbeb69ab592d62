using System.Text;
using Couic.Native;

namespace Couic.Daemon;

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
