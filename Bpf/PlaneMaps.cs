using System.Globalization;
using Couic.Native;
using Couic.Store;

namespace Couic.Bpf;

/// <summary>
/// The kernel's maps of a data plane. They live as long as a descriptor or the loaded program does, and may be handed through
/// <c>execve</c> to a program without privileges: <see cref="SetInherited"/>, then <see cref="ToText"/> as an argument, then
/// <see cref="FromText"/> there.
/// </summary>
public sealed class PlaneMaps : IDisposable
{
    /// <summary>The maps, in the order of the descriptors in the text. The first four by policy, then family.</summary>
    internal static readonly string[] Names =
        ["couic_ipv4_drop", "couic_ipv6_drop", "couic_ipv4_ignore", "couic_ipv6_ignore", "couic_counters", "couic_records", "couic_lines"];

    private readonly FileDescriptor[] _maps;

    internal PlaneMaps(StoreLimits limits, bool perEntryCounters, int cpus, FileDescriptor[] maps)
    {
        Limits = limits;
        PerEntryCounters = perEntryCounters;
        Cpus = cpus;
        _maps = maps;
    }

    public StoreLimits Limits { get; }

    public bool PerEntryCounters { get; }

    /// <summary>CPUs that the kernel may ever have, each with its own element in a per-CPU map.</summary>
    internal int Cpus { get; }

    internal FileDescriptor Counters => _maps[4];

    internal FileDescriptor Records => _maps[5];

    internal FileDescriptor Lines => _maps[6];

    /// <summary>Elements of couic_counters.</summary>
    internal int CounterCount => Layout.CounterTags + (2 * Limits.Counters);

    internal IReadOnlyList<FileDescriptor> All => _maps;

    /// <summary>Numbers only: limits, options, descriptors.</summary>
    public string ToText() => string.Join(
        ',',
        [Limits.MaxDropEntries, Limits.MaxIgnoreEntries, Limits.MaxTags, PerEntryCounters ? 1 : 0, Cpus, .. _maps.Select(m => m.Number)]);

    /// <summary>Takes over the descriptors that a text of <see cref="ToText"/> names, and keeps them from being inherited further.</summary>
    /// <exception cref="BpfException">The text is not of this version, or a descriptor is not the map that it should be.</exception>
    public static PlaneMaps FromText(string text)
    {
        string[] parts = text.Split(',');
        int[] numbers = new int[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            if (!int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i]))
            {
                throw Unusable(text, $"\"{parts[i]}\" is not a number");
            }
        }

        if (numbers.Length != 5 + Names.Length)
        {
            throw Unusable(text, $"{numbers.Length} numbers (expected {5 + Names.Length})");
        }

        for (int i = 0; i < Names.Length; i++)
        {
            using var named = new FileDescriptor(numbers[5 + i], ownsHandle: false); // a descriptor that is not ours keeps its owner
            Errno errno = BpfSyscall.MapInfo(named, out MapDescription map);
            if (errno != Errno.None || map.Name != bpf_obj_name.From(Names[i]).ToString())
            {
                throw Unusable(text, $"descriptor {named.Number} is not map \"{Names[i]}\"{errno switch
                {
                    Errno.None => "",
                    Errno.EPERM => $": {errno.Text()} (before Linux 5.19 bpf(2) takes CAP_BPF: examples/systemd/linux-before-5.19.conf of the package)",
                    _ => $": {errno.Text()}",
                }}");
            }

            named.SetInherited(false);
        }

        FileDescriptor[] maps = [.. numbers[5..].Select(n => new FileDescriptor(n))];
        return new PlaneMaps(new StoreLimits(numbers[0], numbers[1], numbers[2]), numbers[3] != 0, numbers[4], maps);
    }

    /// <summary>Whether a program that this process turns into keeps the maps.</summary>
    public void SetInherited(bool inherited)
    {
        foreach (FileDescriptor map in _maps)
        {
            map.SetInherited(inherited);
        }
    }

    public void Dispose()
    {
        foreach (FileDescriptor map in _maps)
        {
            map.Dispose();
        }
    }

    internal FileDescriptor Trie(Policy policy, IpFamily family) => _maps[((int)policy * 2) + (int)family];

    /// <summary>Index into couic_counters of a policy's counter.</summary>
    internal int CounterOf(Policy policy, int counter) => Layout.CounterTags + ((int)policy * Limits.Counters) + counter;

    /// <exception cref="BpfException">The kernel does not map it.</exception>
    internal static MappedMemory Map(FileDescriptor map, long bytes)
    {
        Errno errno = MappedMemory.TryMap(map, bytes, out MappedMemory? memory);
        return memory ?? throw new BpfException($"map the kernel's tables into memory, {bytes} bytes: {errno.Text()}", errno);
    }

    private static BpfException Unusable(string text, string cause) => new($"take over maps \"{text}\": {cause}");
}
