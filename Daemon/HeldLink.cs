using System.Globalization;
using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>The name of a link where it outlives the process: in the service manager's descriptor store.</summary>
/// <param name="Id">The kernel's id, which no other link ever has.</param>
/// <param name="Since">When the interface was attached, in seconds since 1970.</param>
internal readonly record struct LinkName(uint Id, long Since)
{
    /// <summary>What every name of ours in the store begins with, in any version.</summary>
    public const string Family = "couic-";

    public const string Prefix = Family + "link-";

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Id}-{Since}");

    public static bool TryParse(ReadOnlySpan<char> text, out LinkName name)
    {
        name = default;
        if (!text.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return false;
        }

        text = text[Prefix.Length..];
        int dash = text.IndexOf('-');
        if (dash < 0
            || !uint.TryParse(text[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out uint id)
            || !long.TryParse(text[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out long since))
        {
            return false;
        }

        name = new LinkName(id, since);
        return true;
    }
}

/// <summary>A link that this process holds, so that the filter outlives other processes.</summary>
/// <param name="Interface">The index of its interface.</param>
internal sealed record HeldLink(SafeFileHandle Handle, LinkName Name, int Interface)
{
    /// <summary>Describes a link; null when the descriptor is not an XDP link.</summary>
    /// <param name="since">When its interface was attached, if the link has no name yet.</param>
    public static HeldLink? Of(SafeFileHandle handle, long since)
    {
        using var link = new FileDescriptor((int)handle.DangerousGetHandle(), ownsHandle: false);
        return BpfSyscall.LinkInfo(link, out LinkDescription info) == Errno.None
            ? new HeldLink(handle, new LinkName(info.Id, since), info.Interface)
            : null;
    }
}

/// <summary>Descriptors that the service manager passes at the start: its sockets, and the content of its store (sd_listen_fds(3)).</summary>
internal static class PassedDescriptors
{
    private const string Process = "LISTEN_PID", Count = "LISTEN_FDS", Names = "LISTEN_FDNAMES";

    /// <summary>The first of them; they are consecutive.</summary>
    private const int First = 3;

    /// <summary>The variables that name them, for a program that does not get them.</summary>
    public static readonly string[] Variables = [Process, Count, Names];

    /// <summary>The descriptors of this process with their names; empty when there are none.</summary>
    public static IReadOnlyList<(int Number, string Name)> FromEnvironment() => Parse(
        Environment.GetEnvironmentVariable(Process), Environment.GetEnvironmentVariable(Count), Environment.GetEnvironmentVariable(Names), Environment.ProcessId);

    internal static IReadOnlyList<(int Number, string Name)> Parse(string? process, string? count, string? names, int ownProcess)
    {
        if (!IsNumber(process, out int owner) || owner != ownProcess || !IsNumber(count, out int number))
        {
            return [];
        }

        // Without names, none of them can be ours. A count above the names is another program's mistake.
        string[] named = names?.Split(':') ?? [];
        return [.. named.Take(number).Select((name, i) => (First + i, name))];
    }

    private static bool IsNumber(string? text, out int number) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
