using System.Globalization;
using Couic.Bpf;
using Couic.Native;

namespace Couic.Daemon;

/// <summary>State of a configured interface; the API has these names in lower case.</summary>
internal enum AttachState
{
    Attached,

    /// <summary>The interface does not exist.</summary>
    Missing,

    /// <summary>Another XDP program is attached to it.</summary>
    Taken,

    /// <summary>The kernel or the driver failed.</summary>
    Failed,
}

/// <summary>The attacher's report on one configured interface.</summary>
/// <param name="Configured">The name in the configuration.</param>
/// <param name="Name">The kernel's present name.</param>
/// <param name="Mode">The mode in effect; empty when it is not attached.</param>
/// <param name="Error">Why it is not attached; empty when it is.</param>
internal sealed record InterfaceState(string Configured, string Name, int Index, string Mode, AttachState State, string Error)
{
    /// <summary>Of a text; the kernel's explanations have fewer than a hundred.</summary>
    private const int MaxErrorChars = 250;

    public uint Program { get; init; }

    /// <summary>Counts attachments: another number at the same index means that the program had been detached. 0 if unknown.</summary>
    public uint Attachment { get; init; }

    /// <summary>Whether the program of an earlier process was replaced in one step, without a gap.</summary>
    public bool IsTakenOver { get; init; }

    /// <summary>Why the filter of an earlier process could not be taken over; otherwise empty.</summary>
    public string Gap { get; init; } = "";

    /// <summary>Why the link does not outlive the process as the configuration says; otherwise empty.</summary>
    public string Unpinned { get; init; } = "";

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
        return new InterfaceState(configured, name, index, "", state, cause.Cause ?? cause.Message);
    }

    /// <summary>Fields separated by tabs, which neither names nor our messages contain. Fewer than 2,000 bytes: few states have a text, and at most two.</summary>
    public string ToLine() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Configured}\t{Name}\t{Index}\t{Mode}\t{(int)State}\t{Program}\t{Attachment}\t{(IsTakenOver ? 1 : 0)}\t{OneField(Gap)}\t{OneField(Unpinned)}\t{OneField(Error)}");

    /// <exception cref="FormatException">Another version wrote the line.</exception>
    public static InterfaceState FromLine(string line)
    {
        string[] f = line.Split('\t');
        return f.Length != 11
            ? throw new FormatException($"{f.Length} fields of an interface (expected 11)")
            : new InterfaceState(f[0], f[1], Number(f[2]), f[3], (AttachState)Number(f[4]), f[10])
            {
                Program = uint.Parse(f[5], CultureInfo.InvariantCulture),
                Attachment = uint.Parse(f[6], CultureInfo.InvariantCulture),
                IsTakenOver = Number(f[7]) != 0,
                Gap = f[8],
                Unpinned = f[9],
            };
    }

    private static string OneField(string text)
    {
        text = text.ReplaceLineEndings(" ").Replace('\t', ' ');
        return text.Length > MaxErrorChars ? text[..MaxErrorChars] : text;
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}

/// <summary>The interfaces in one line, for the service manager and the log.</summary>
internal static class InterfaceSummary
{
    private const int MaxListed = 4, MaxPresent = 8;

    /// <summary><c>filtering eth0</c>, or <c>filtering 1 of 2 (missing: wg0)</c>.</summary>
    public static string Line(IReadOnlyList<InterfaceState> states, bool isLost)
    {
        string line = states.Count == 0 ? "filtering nothing (no interfaces configured)"
            : states.All(s => s.IsAttached) ? $"filtering {List([.. states.Select(Name)], MaxListed)}"
            : $"filtering {states.Count(s => s.IsAttached)} of {states.Count} ({string.Join("; ", Troubles(states))})";
        return isLost ? line + ", the attacher process has ended" : line;
    }

    /// <summary>Both names if they differ.</summary>
    public static string Name(InterfaceState state) =>
        state.Configured == state.Name ? state.Name : $"{state.Configured} ({state.Name})";

    /// <summary>Why it is not attached; for a missing interface with those that exist.</summary>
    public static string Cause(InterfaceState state) => state.State == AttachState.Missing ? $"{state.Error} (have: {Present()})" : state.Error;

    /// <summary>The first names, and the number of the rest.</summary>
    public static string List(IReadOnlyCollection<string> names, int most) =>
        string.Join(", ", names.Take(most)) + (names.Count > most ? $" and {names.Count - most} more" : "");

    private static string Present()
    {
        try
        {
            return List([.. XdpAttacher.ReadInterfaces().Select(i => i.Name)], MaxPresent);
        }
        catch (BpfException e)
        {
            return e.Message;
        }
    }

    private static IEnumerable<string> Troubles(IReadOnlyList<InterfaceState> states) =>
        states.Where(s => !s.IsAttached).GroupBy(s => s.State)
            .Select(group => $"{group.Key.ToString().ToLowerInvariant()}: {List([.. group.Select(s => s.Configured)], MaxListed)}");
}
