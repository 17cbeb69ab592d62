using System.Globalization;
using Couic.Native;

namespace Couic.Bpf;

/// <summary>
/// The XDP program in each variant that interfaces need. All of them read the same maps. They may be handed to another program
/// of this process: <see cref="SetInherited"/>, then <see cref="ToText"/> as an argument, then <see cref="FromText"/> there.
/// </summary>
public sealed class XdpPrograms : IDisposable
{
    private const string Absent = "-";

    /// <summary>What the name of every variant in the kernel begins with, in every version.</summary>
    private const string Name = "couic_xdp";

    /// <summary>Whether a program of that name in the kernel is ours.</summary>
    internal static bool IsOurs(string name) => name.StartsWith(Name, StringComparison.Ordinal);

    internal XdpPrograms(FileDescriptor ethernet, FileDescriptor? fragments, FileDescriptor ip)
    {
        Ethernet = ethernet;
        Fragments = fragments;
        Ip = ip;
    }

    /// <summary>For frames with an Ethernet header.</summary>
    public FileDescriptor Ethernet { get; }

    /// <summary>The same for frames in several buffers, as native mode has them with a large MTU; null below Linux 5.18.</summary>
    public FileDescriptor? Fragments { get; }

    /// <summary>For packets that begin with the IP header, as tun, WireGuard and ppp devices have them.</summary>
    public FileDescriptor Ip { get; }

    /// <summary>Descriptors, separated by commas.</summary>
    public string ToText() => string.Join(',', Number(Ethernet), Fragments is null ? Absent : Number(Fragments), Number(Ip));

    /// <summary>Takes over the descriptors that a text of <see cref="ToText"/> names.</summary>
    /// <exception cref="FormatException">The text is not of this version.</exception>
    public static XdpPrograms FromText(string text)
    {
        string[] parts = text.Split(',');
        return parts.Length == 3
            ? new XdpPrograms(Adopt(parts[0]), parts[1] == Absent ? null : Adopt(parts[1]), Adopt(parts[2]))
            : throw new FormatException($"\"{text}\" names {parts.Length} programs (expected 3)");
    }

    /// <summary>Whether a program that this process starts or turns into keeps the descriptors.</summary>
    public void SetInherited(bool inherited)
    {
        foreach (FileDescriptor? program in All)
        {
            program?.SetInherited(inherited);
        }
    }

    /// <summary>The kernel's ids of the programs.</summary>
    /// <exception cref="BpfException">The kernel does not tell.</exception>
    public IEnumerable<uint> Ids()
    {
        foreach (FileDescriptor? program in All)
        {
            if (program is not null)
            {
                Errno errno = BpfSyscall.ProgramInfo(program, out _, out uint id);
                yield return errno == Errno.None ? id : throw new BpfException($"ask for the id of the xdp program: {errno.Text()}", errno);
            }
        }
    }

    /// <summary>The descriptors, as <see cref="FromDescriptors"/> takes them.</summary>
    internal int[] Descriptors() => [.. All.OfType<FileDescriptor>().Select(program => program.Number)];

    /// <summary>Takes over descriptors of another process: two or three, in the order of <see cref="Descriptors"/>.</summary>
    internal static XdpPrograms FromDescriptors(ReadOnlySpan<int> numbers) => new(
        new FileDescriptor(numbers[0]), numbers.Length == 3 ? new FileDescriptor(numbers[1]) : null, new FileDescriptor(numbers[^1]));

    public void Dispose()
    {
        foreach (FileDescriptor? program in All)
        {
            program?.Dispose();
        }
    }

    private FileDescriptor?[] All => [Ethernet, Fragments, Ip];

    private static string Number(FileDescriptor program) => program.Number.ToString(CultureInfo.InvariantCulture);

    private static FileDescriptor Adopt(string number) => new(int.Parse(number, NumberStyles.None, CultureInfo.InvariantCulture));
}
