using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Couic.Bpf;
using Couic.Bpf.Elf;
using Couic.Native;
using Couic.Store;

namespace Couic.Bench.DataPlane;

/// <summary>The three programs of a scenario, loaded with the same rules and drawing the same sources.</summary>
internal sealed class Programs : IDisposable
{
    /// <summary>Elements of draw_sources; the first one is left to the program.</summary>
    private const int Sources = 1 << 18;

    private readonly List<IDisposable> _kept = [];
    private readonly uint[] _sources = [];
    private readonly byte[] _packet;

    public Programs(string objects, Scenario scenario)
    {
        _packet = Packet(scenario);
        IReadOnlyCollection<Cidr> drop = RuleSet.Make(scenario.Family, 0, scenario.Rules, scenario.Mixed);
        IReadOnlyCollection<Cidr> ignore = RuleSet.Make(scenario.Family, 1 << 30, scenario.Ignored, mixed: false);
        if (scenario.NotListed)
        {
            _sources = [.. RuleSet.SourcesOutside([.. drop, .. ignore], new Random(1)).Take(Sources)];
        }

        Empty = Load(objects, "empty", scenario, out _);

        TwoTries = Load(objects, "two_tries", scenario, out KernelObjects tries);
        string family = scenario.Family == IpFamily.V4 ? "4" : "6";
        FillTrie(tries, "ignore" + family, ignore, scenario.Tags);
        FillTrie(tries, "drop" + family, drop, scenario.Tags);

        int entries = Math.Max((int)scenario.Rules, StoreLimits.Default.MaxDropEntries);
        var options = new PlaneOptions { PerEntryCounters = scenario.PerEntryCounters, Limits = StoreLimits.Default with { MaxDropEntries = entries } };
        ObjectSpec spec = XdpLoader.Configure(File.ReadAllBytes(Path.Combine(objects, "couic.o")), options, coarseClock: true);
        Couic = Make(spec, scenario, out KernelObjects ours);
        int cpus = ours.CountCpus();
        Plane = new BpfDataPlane(
            new PlaneMaps(options.Limits, options.PerEntryCounters, cpus, [.. PlaneMaps.Names.Select(ours.TakeMap)]), TimeProvider.System);
        _kept.Add(Plane);
        Apply(Plane, Policy.Ignore, ignore, scenario.Tags);
        Apply(Plane, Policy.Drop, drop, scenario.Tags);
    }

    public FileDescriptor Empty { get; }

    public FileDescriptor TwoTries { get; }

    public FileDescriptor Couic { get; }

    public BpfDataPlane Plane { get; }

    /// <summary>Nanoseconds a packet.</summary>
    public double Run(FileDescriptor program, uint packets)
    {
        Errno errno = BpfSyscall.TestRun(program, _packet, packets, out _, out uint nanoseconds);
        return errno == Errno.None ? nanoseconds : throw new InvalidOperationException(errno.Text());
    }

    public void Dispose() => _kept.ForEach(k => k.Dispose());

    private static byte[] Packet(Scenario scenario)
    {
        byte[] packet = new byte[64 + TagBytes(scenario)];
        for (int i = 0; i < TagBytes(scenario); i += 4)
        {
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(12 + i), 0x8100);
        }

        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(12 + TagBytes(scenario)), (ushort)(scenario.Family == IpFamily.V4 ? 0x0800 : 0x86dd));
        packet[14 + TagBytes(scenario)] = (byte)(scenario.Family == IpFamily.V4 ? 0x45 : 0x60);
        return packet;
    }

    private static int TagBytes(Scenario scenario) => 4 * scenario.VlanTags;

    private FileDescriptor Load(string objects, string name, Scenario scenario, out KernelObjects made) =>
        Make(ObjectSpec.Read(File.ReadAllBytes(Path.Combine(objects, name + ".o")), "xdp"), scenario, out made);

    private FileDescriptor Make(ObjectSpec spec, Scenario scenario, out KernelObjects made)
    {
        SetNumber(spec, "draw_rules", scenario.Listed ? (int)scenario.Rules : 0);
        SetNumber(spec, "draw_mixed", scenario.Mixed ? 1 : 0);
        SetNumber(spec, "draw_offset", 14 + TagBytes(scenario) + (scenario.Family == IpFamily.V4 ? 12 : 8));
        SetNumber(spec, "draw_size", scenario.Family == IpFamily.V4 ? 4 : 16);
        SetNumber(spec, "draw_given", scenario.NotListed ? 1 : 0);
        made = KernelObjects.Make(spec);
        _kept.Add(made);
        GiveSources(made);
        FileDescriptor program = made.TakeProgram();
        _kept.Add(program);
        return program;
    }

    private void GiveSources(KernelObjects made)
    {
        FileDescriptor map = made.TakeMap("draw_sources");
        _kept.Add(map);
        for (int i = 1; i < _sources.Length; i++)
        {
            Check(BpfSyscall.Update(map, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in i)), MemoryMarshal.AsBytes(new ReadOnlySpan<uint>(in _sources[i]))));
        }
    }

    private static void SetNumber(ObjectSpec spec, string name, int value) =>
        spec.SetConstant(name, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in value)));

    private void FillTrie(KernelObjects objects, string name, IEnumerable<Cidr> rules, int tags)
    {
        FileDescriptor trie = objects.TakeMap(name);
        _kept.Add(trie);
        byte[] key = new byte[20];
        byte[] value = new byte[4];
        int i = 0;
        foreach (Cidr rule in rules)
        {
            BinaryPrimitives.WriteInt32LittleEndian(value, i++ % tags);
            Check(BpfSyscall.Update(trie, key.AsSpan(0, TrieEntry.Write(rule, key)), value));
        }
    }

    private static void Apply(BpfDataPlane plane, Policy policy, IEnumerable<Cidr> rules, int tags)
    {
        EntryMutation[] all = [.. rules.Select((rule, i) => new EntryMutation { Policy = policy, Cidr = rule, Counter = 1 + (i % tags), Slot = i })];
        foreach (EntryMutation[] batch in all.Chunk(64))
        {
            foreach (ref EntryMutation mutation in batch.AsSpan())
            {
                plane.Prepare(ref mutation);
            }

            plane.Write(batch);
            foreach (EntryMutation mutation in batch)
            {
                plane.Publish(mutation);
                if (mutation.Refusal is { } refusal)
                {
                    throw new InvalidOperationException(refusal.Message);
                }
            }
        }
    }

    private static void Check(Errno errno)
    {
        if (errno != Errno.None)
        {
            throw new InvalidOperationException(errno.Text());
        }
    }
}
