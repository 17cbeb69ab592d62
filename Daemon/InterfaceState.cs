using System.Globalization;
using System.Text;
using Couic.Bpf;
using Couic.Native;

namespace Couic.Daemon;

/// <summary>What has become of an interface of the configuration; its names in lower case are those of the API.</summary>
internal enum AttachState
{
    Attached,

    /// <summary>There is no interface of that name.</summary>
    Missing,

    /// <summary>Another XDP program is attached to it.</summary>
    Taken,

    /// <summary>The kernel or the driver refuses.</summary>
    Failed,
}

/// <summary>What the attacher reports of one interface of the configuration.</summary>
/// <param name="Configured">As the configuration names it.</param>
/// <param name="Name">As the kernel names it now.</param>
/// <param name="Mode">The mode in effect; empty when it is not attached.</param>
/// <param name="Error">Why it is not attached; empty when it is.</param>
internal sealed record InterfaceState(string Configured, string Name, int Index, string Mode, AttachState State, string Error)
{
    public bool IsAttached => State == AttachState.Attached;

    public static InterfaceState Attached(string configured, string name, int index, XdpMode mode) =>
        new(configured, name, index, mode.ToString().ToLowerInvariant(), AttachState.Attached, "");

    public static InterfaceState Refused(string configured, string name, int index, BpfException cause)
    {
        AttachState state = cause.Errno switch
        {
            Errno.ENODEV => AttachState.Missing,
            Errno.EBUSY => AttachState.Taken,
            _ => AttachState.Failed,
        };
        return new InterfaceState(configured, name, index, "", state, cause.Message);
    }

    /// <summary>
    /// One per line, fields between tabs, which neither names nor messages of ours contain. Never empty, also without interfaces: an
    /// empty message is what the end of the other side looks like.
    /// </summary>
    public static byte[] Format(IEnumerable<InterfaceState> states) => Encoding.UTF8.GetBytes(string.Join('\n', states.Select(Line)) + "\n");

    public static IReadOnlyList<InterfaceState> Parse(ReadOnlySpan<byte> message) =>
        [.. Encoding.UTF8.GetString(message).Split('\n').Select(line => line.Split('\t')).Where(f => f.Length == 6).Select(FromFields)];

    private static string Line(InterfaceState s) => string.Create(
        CultureInfo.InvariantCulture, $"{s.Configured}\t{s.Name}\t{s.Index}\t{s.Mode}\t{(int)s.State}\t{s.Error.ReplaceLineEndings(" ")}");

    private static InterfaceState FromFields(string[] f) => new(f[0], f[1], Number(f[2]), f[3], (AttachState)Number(f[4]), f[5]);

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
