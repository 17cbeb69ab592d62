using Couic.Bpf;
using Couic.Bpf.Tables;
using Couic.Native;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Bpf;

/// <summary>A plane and the oracle beside it, perhaps two plain tries as well, with addresses so close that they often cover each other.</summary>
internal sealed class RuleWorld(IpFamily family, int seed, StoreLimits limits, TwoTries? tries = null, int? longest = null) : IDisposable
{
    private const ushort IPv4 = 0x0800;
    private const ushort IPv6 = 0x86dd;

    private readonly Random _random = new(seed);
    private readonly PlaneFixture _plane = new(new PlaneOptions { Limits = limits });
    private readonly Stack<int>[] _free = [new(), new()];
    private readonly int[] _used = [0, 0];
    private readonly ulong[][] _expected = [new ulong[limits.Counters], new ulong[limits.Counters]];

    public RuleOracle Oracle { get; } = new();

    public void Add() => Add(_random.Next(4) == 0 ? Policy.Ignore : Policy.Drop, RandomNetwork());

    /// <summary>Adds, changes or removes something; returns what.</summary>
    public Cidr Change(int most)
    {
        List<(Policy Policy, Cidr Cidr)>? all = null;
        int what = _random.Next(10);
        if (Oracle.Count == 0 || (what < 5 && Oracle.Count < most))
        {
            Cidr cidr = RandomNetwork();
            Add(_random.Next(4) == 0 ? Policy.Ignore : Policy.Drop, cidr);
            return cidr;
        }

        all ??= Oracle.All;
        (Policy policy, Cidr chosen) = all[_random.Next(all.Count)];
        if (what < 7 && Oracle.TryGet(policy, chosen, out int slot))
        {
            Apply(MutationKind.Put, policy, chosen, slot);
        }
        else
        {
            Remove(policy, chosen);
        }

        return chosen;
    }

    public void RemoveAll()
    {
        foreach ((Policy policy, Cidr cidr) in Oracle.All)
        {
            Remove(policy, cidr);
        }
    }

    /// <summary>Whether a rule is found that is the only one.</summary>
    public void CheckAlone(int length)
    {
        Cidr cidr = SourceIn(Region(8)).WithLength((byte)length);
        Add(Policy.Drop, cidr);
        Check(SourceIn(cidr));
        Check(RandomSource());
        Remove(Policy.Drop, cidr);
        Check(SourceIn(cidr));
    }

    public void Check(Cidr source)
    {
        bool listed = Oracle.TryDecide(source, out Policy policy, out Cidr cidr, out int slot);
        ulong before = Hits(policy, cidr, slot);
        uint expected = listed && policy == Policy.Drop ? PlaneFixture.Drop : PlaneFixture.Pass;
        uint verdict = _plane.Run(Packet(source));
        Assert.True(expected == verdict, $"{source}: {verdict}, expected {expected} by {cidr} of {policy}");
        Assert.True(slot < 0 || !IsCounted(policy, cidr, slot) || Hits(policy, cidr, slot) == before + 1, $"{source}: not counted under {cidr}");
    }

    /// <summary>Compares with the two tries alone: the verdict now, the counts by tag in <see cref="CheckTags"/>.</summary>
    public void CheckAgainstTries(Cidr source)
    {
        byte[] packet = Packet(source);
        uint verdict = _plane.Run(packet);
        uint expected = tries!.Run(packet);
        Assert.True(expected == verdict, $"{source}: {verdict}, by two tries {expected}");
        if (tries.TryFindTag(source, out Policy policy, out int tag))
        {
            _expected[(int)policy][tag]++;
        }
    }

    public void CheckTags()
    {
        foreach (Policy policy in Policies.All)
        {
            var counted = new Counter[limits.Counters];
            _plane.Plane.ReadTags(policy, counted);
            Assert.Equal(_expected[(int)policy], counted.Select(c => c.Packets));
        }
    }

    public Cidr RandomSource() => SourceIn(Region(_random.Next(3) == 0 ? 0 : 8));

    /// <summary>An address of the network; host bits at random.</summary>
    public Cidr SourceIn(Cidr network)
    {
        var any = new Cidr(family, Bits(), Bits(), network.MaxLength);
        Cidr prefix = any.WithLength(network.Length);
        ulong low = family == IpFamily.V4 ? 0 : network.Low | (any.Low ^ prefix.Low);
        ulong high = network.High | (any.High ^ prefix.High);
        return new Cidr(family, family == IpFamily.V4 ? high & 0xffff_ffff_0000_0000 : high, low, network.MaxLength);
    }

    public void AssertTablesAreEmpty()
    {
        var layout = new TableLayout(limits);
        Errno errno = MappedMemory.TryMap(_plane.Maps.Lines, (long)layout.Lines * Layout.CacheLineSize, out MappedMemory? memory);
        Assert.Equal(Errno.None, errno);
        using (memory)
        {
            Assert.Equal(Errno.None, memory!.EnsureMapped(0, (long)layout.Lines * Layout.CacheLineSize));
            ulong[] words = memory.As<ulong>().ToArray();
            AssertZero(words, 0, 1, "summary");
            foreach (Policy policy in Policies.All)
            {
                // Hits and the addresses of IPv6 buckets are scrap once nothing leads to them.
                Region4 v4 = layout.V4(policy);
                Region6 v6 = layout.V6(policy);
                AssertZero(words, v4.CoarseFilter, v4.Rules, $"{policy} IPv4 bits");
                for (uint at = v4.Rules * 8; at < (v4.Rules + v4.Buckets) * 8; at += 2)
                {
                    Assert.True(words[at] == 0, $"{policy} IPv4 rules: word {at} is left");
                }

                AssertZero(words, v6.CoarseFilter, v6.Rules, $"{policy} IPv6 bits");
            }
        }
    }

    public void Dispose() => _plane.Dispose();

    private static void AssertZero(ulong[] words, uint from, uint to, string what)
    {
        int left = words.AsSpan((int)from * 8, (int)(to - from) * 8).IndexOfAnyExcept(0ul);
        Assert.True(left < 0, $"{what}: word {left} is left");
    }

    private void Add(Policy policy, Cidr cidr)
    {
        if (Oracle.TryGet(policy, cidr, out _))
        {
            return;
        }

        int slot = _free[(int)policy].TryPop(out int free) ? free : _used[(int)policy]++;
        Apply(MutationKind.Put, policy, cidr, slot);
        Assert.True(Oracle.Add(policy, cidr, slot));
    }

    private void Remove(Policy policy, Cidr cidr)
    {
        Assert.True(Oracle.Remove(policy, cidr, out int slot));
        Apply(MutationKind.Remove, policy, cidr, slot);
        _free[(int)policy].Push(slot);
    }

    private void Apply(MutationKind kind, Policy policy, Cidr cidr, int slot)
    {
        int counter = _random.Next(limits.Counters);
        tries?.Apply(kind, policy, cidr, counter);
        _plane.Apply(new EntryMutation { Kind = kind, Policy = policy, Cidr = cidr, Counter = counter, Slot = slot });
    }

    private bool IsCounted(Policy policy, Cidr cidr, int slot) => _plane.Plane.TryReadHits(policy, cidr, slot, out _);

    private ulong Hits(Policy policy, Cidr cidr, int slot) =>
        slot >= 0 && _plane.Plane.TryReadHits(policy, cidr, slot, out EntryHits hits) ? hits.Packets : 0;

    /// <summary>Half of them hosts, unless a longest length is given; the others of any length; all in few enough blocks to nest.</summary>
    private Cidr RandomNetwork()
    {
        if (longest is { } most && _random.Next(4) > 0)
        {
            return SourceIn(Region(_random.Next(2) * 8)).WithLength(_random.Next(most + 1));
        }

        int max = family == IpFamily.V4 ? 32 : 128;
        int length = _random.Next(10) switch { < 5 => max, < 7 => max * 3 / 4, < 8 => _random.Next(max + 1), _ => _random.Next(max / 8, max) };
        return SourceIn(Region(8)).WithLength(length);
    }

    private ulong Bits() => _random.Next(3) == 0 ? (ulong)_random.NextInt64() & 0x0101_0103_0107_0103 : (ulong)_random.NextInt64(long.MinValue, long.MaxValue);

    private Cidr Region(int spread)
    {
        ulong high = spread == 0 ? 0 : 0x2001_0db8_0000_0000 + ((ulong)_random.Next(spread) << 44) + ((ulong)_random.Next(4) << 34);
        return new Cidr(family, high, 0, spread == 0 ? 0 : family == IpFamily.V4 ? 20 : 32).Network;
    }

    private static byte[] Packet(Cidr source)
    {
        byte[] packet = source.Family == IpFamily.V4
            ? Packets.Ethernet(IPv4, Packets.V4("0.0.0.0"))
            : Packets.Ethernet(IPv6, Packets.V6("::"));
        Span<byte> address = packet.AsSpan(source.Family == IpFamily.V4 ? 14 + 12 : 14 + 8);
        source.WriteAddress(address);
        return packet;
    }
}
