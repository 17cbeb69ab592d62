using System.Reflection;
using System.Runtime.InteropServices;
using Couic.Bpf.Elf;
using Couic.Bpf.Tables;
using Couic.Native;
using Couic.Store;

namespace Couic.Bpf;

/// <summary>
/// Makes the kernel's objects: types, maps, programs. Needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN (CAP_SYS_ADMIN below Linux 5.8), and
/// nothing that is made here needs them afterwards.
/// </summary>
public static class XdpLoader
{
    /// <summary>Number of the helper bpf_ktime_get_coarse_ns.</summary>
    private const int CoarseClock = 160;

    private const string Resource = "couic.bpf.o";
    private const string ProgramSection = "xdp";
    private const string FragmentsName = "couic_xdp_frags";
    private const string IpName = "couic_xdp_ip";

    /// <exception cref="BpfException">The kernel refused; the message says which object, why and what to do.</exception>
    public static LoadedPlane Load(PlaneOptions options)
    {
        ReadOnlyMemory<byte> file = ReadResource();
        try
        {
            return Load(Configure(file, options, coarseClock: true), options);
        }
        catch (BpfException e) when (e.VerifierLog?.Contains($"invalid func unknown#{CoarseClock}", StringComparison.Ordinal) == true)
        {
            // Below Linux 5.11; the other clock costs a little more per counted packet.
            return Load(Configure(file, options, coarseClock: false), options);
        }
    }

    /// <summary>The compiled program that is part of this executable.</summary>
    internal static ReadOnlyMemory<byte> ReadResource()
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(Resource)
            ?? throw new BpfException($"read xdp object: resource \"{Resource}\" is missing (the build is incomplete)");
        byte[] file = new byte[stream.Length];
        stream.ReadExactly(file);
        return file;
    }

    internal static ObjectSpec Configure(ReadOnlyMemory<byte> file, PlaneOptions options, bool coarseClock)
    {
        StoreLimits limits = options.Limits;
        ObjectSpec spec = ObjectSpec.Read(file, ProgramSection);
        foreach (Policy policy in Policies.All)
        {
            spec.Map($"couic_ipv4_{policy.Name()}").MaxEntries = (uint)(limits.Entries(policy) * Layout.Headroom);
            spec.Map($"couic_ipv6_{policy.Name()}").MaxEntries = (uint)(limits.Entries(policy) * Layout.Headroom);
        }

        var layout = new TableLayout(limits);
        spec.Map("couic_counters").MaxEntries = (uint)(Layout.CounterTags + (2 * limits.Counters));
        spec.Map("couic_records").MaxEntries = OverflowStats.Count(limits, options.PerEntryCounters);
        spec.Map("couic_lines").MaxEntries = layout.Lines;
        spec.SetConstant("counters_end", BitConverter.GetBytes(spec.Map("couic_counters").MaxEntries));
        spec.SetConstant("tables4", layout.Constants4);
        spec.SetConstant("tables6", layout.Constants6);
        spec.SetConstant("match_source", options.MatchSource);
        spec.SetConstant("match_destination", options.MatchDestination);
        spec.SetConstant("count_hits", options.PerEntryCounters);
        spec.SetConstant("coarse_clock", coarseClock);
        return spec;
    }

    private static LoadedPlane Load(ObjectSpec spec, PlaneOptions options)
    {
        using KernelObjects objects = KernelObjects.Make(spec);
        int cpus = objects.CountCpus();
        XdpPrograms programs = LoadVariants(spec, objects);
        FileDescriptor[] maps = [.. PlaneMaps.Names.Select(objects.TakeMap)];
        return new LoadedPlane(programs, new PlaneMaps(options.Limits, options.PerEntryCounters, cpus, maps));
    }

    /// <summary>The same code with other constants, so that the verifier removes what a variant does not need.</summary>
    private static XdpPrograms LoadVariants(ObjectSpec spec, KernelObjects objects)
    {
        FileDescriptor ethernet = objects.TakeProgram();
        spec.SetConstant("in_fragments", true);
        FileDescriptor? fragments = objects.TryLoadVariant(spec, FragmentsName, BpfSyscall.BPF_F_XDP_HAS_FRAGS);
        spec.SetConstant("in_fragments", false);
        spec.SetConstant("has_ethernet", false);
        return new XdpPrograms(ethernet, fragments, objects.LoadVariant(spec, IpName));
    }
}

/// <summary>What a data plane is made for.</summary>
public sealed record PlaneOptions
{
    public static readonly PlaneOptions Default = new();

    /// <summary>Sizes of all tables.</summary>
    public StoreLimits Limits { get; init; } = StoreLimits.Default;

    /// <summary>Whether source addresses are looked up.</summary>
    public bool MatchSource { get; init; } = true;

    /// <summary>Whether destination addresses are looked up; after the source's, where both are.</summary>
    public bool MatchDestination { get; init; }

    /// <summary>Whether each entry's packets and last hit are kept.</summary>
    public bool PerEntryCounters { get; init; } = true;
}

/// <summary>What <see cref="XdpLoader"/> has made: the programs to attach, and the maps that they read.</summary>
public sealed class LoadedPlane : IDisposable
{
    internal LoadedPlane(XdpPrograms programs, PlaneMaps maps)
    {
        Programs = programs;
        Maps = maps;
    }

    /// <summary>For <see cref="XdpAttacher"/>.</summary>
    public XdpPrograms Programs { get; }

    /// <summary>For <see cref="BpfDataPlane"/>.</summary>
    public PlaneMaps Maps { get; }

    public void Dispose()
    {
        Programs.Dispose();
        Maps.Dispose();
    }
}

/// <summary>How many CPUs the kernel may ever have: it copies that many elements for one key of a per-CPU map.</summary>
internal static class PossibleCpus
{
    private const ulong Pattern = 0xc0d1_f1ed_5eed_a5a5;
    private const int ElementWords = Layout.CounterSize / sizeof(ulong);

    /// <summary>More than any kernel is built for, for kernels that do not report the size of their CPU masks.</summary>
    private const int Most = 65_536;

    /// <summary>
    /// Measured, because /sys may be missing or show a container's view, and the kernel writes past a buffer that is too small:
    /// what it leaves of a pattern in a buffer that is large enough.
    /// </summary>
    /// <param name="counters">A new map of counters, all of them zero.</param>
    /// <exception cref="BpfException">The kernel does not read the map.</exception>
    public static int Count(FileDescriptor counters)
    {
        int bits = CpuMask.Bits();
        ulong[] words = new ulong[((bits > 0 ? bits : Most) + 1) * ElementWords];
        Array.Fill(words, Pattern);
        Errno errno = BpfSyscall.Lookup(counters, [0, 0, 0, 0], MemoryMarshal.AsBytes(words.AsSpan()));
        if (errno != Errno.None)
        {
            throw new BpfException($"count CPUs: read counters: {errno.Text()}", errno);
        }

        int written = words.AsSpan().IndexOf(Pattern);
        return written > 0 && written % ElementWords == 0 && !words.AsSpan(written).ContainsAnyExcept(Pattern)
            ? written / ElementWords
            : throw new BpfException($"count CPUs: {written} words of a counter make no sense");
    }
}
