using System.Text;

namespace Couic.Daemon;

/// <summary>What the attacher says of one interface of the configuration.</summary>
/// <param name="Mode">The mode in effect; empty when it is not attached.</param>
/// <param name="Fault">Why it is not attached; empty when it is.</param>
internal sealed record InterfaceState(string Name, int Index, string Mode, string Fault)
{
    public bool IsAttached => Fault.Length == 0;

    /// <summary>
    /// One a line, fields between tabs, which neither names nor messages of ours contain. Never empty, also without interfaces: an empty
    /// message is what the end of the other side looks like.
    /// </summary>
    public static byte[] Format(IEnumerable<InterfaceState> states) =>
        Encoding.UTF8.GetBytes(string.Join('\n', states.Select(s => $"{s.Name}\t{s.Index}\t{s.Mode}\t{s.Fault.ReplaceLineEndings(" ")}")) + "\n");

    public static IReadOnlyList<InterfaceState> Parse(ReadOnlySpan<byte> message) =>
        [.. Encoding.UTF8.GetString(message).Split('\n').Select(line => line.Split('\t')).Where(f => f.Length == 4)
            .Select(f => new InterfaceState(f[0], int.Parse(f[1], System.Globalization.CultureInfo.InvariantCulture), f[2], f[3]))];
}
