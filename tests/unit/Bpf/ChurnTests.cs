using Couic.Bpf;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Bpf;

/// <summary>Packets run while rules change, on another CPU: no packet of a source that stays listed may pass, none of one that stays unlisted or ignored may be dropped.</summary>
[Collection("bpf")]
public class ChurnTests
{
    private const uint Repeat = 20_000;
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(3);

    [Theory]
    [InlineData(IpFamily.V4)]
    [InlineData(IpFamily.V6)]
    public void SteadyRules_DuringChurn_ApplyToEveryPacket(IpFamily family)
    {
        // Few buckets and lines, so that those of the steady rules are shared, overfull and reused all the time.
        using var plane = new PlaneFixture(new PlaneOptions { Limits = new StoreLimits(256, 128, 16) });
        var steady = new List<(byte[] Packet, uint Verdict)>();
        for (int i = 0; i < 48; i++)
        {
            string source = Source(family, i, 7);
            plane.Put(Policy.Drop, $"{source}/{(family == IpFamily.V4 ? (i % 3 == 0 ? 31 : 32) : (i % 3 == 0 ? 127 : 128))}", slot: i);
            bool ignored = i % 8 == 0;
            if (ignored)
            {
                plane.Put(Policy.Ignore, $"{source}/{(family == IpFamily.V4 ? 32 : 128)}", slot: i);
            }

            steady.Add((Packet(family, source), ignored ? PlaneFixture.Pass : PlaneFixture.Drop));
            steady.Add((Packet(family, Source(family, i, 200)), PlaneFixture.Pass));
        }

        using var stop = new CancellationTokenSource(Time);
        var churn = new Thread(() => Churn(plane, family, stop.Token)) { IsBackground = true };
        churn.Start();
        ulong drops = 0;
        ulong packets = 0;
        for (int i = 0; !stop.IsCancellationRequested || i % steady.Count != 0; i++)
        {
            (byte[] packet, uint verdict) = steady[i % steady.Count];
            Assert.Equal(verdict, plane.Run(packet, Repeat));
            drops += verdict == PlaneFixture.Drop ? Repeat : 0;
            packets += Repeat;
        }

        churn.Join();
        var actions = new Counter[5];
        plane.Plane.ReadActions(actions);
        Assert.Equal(drops, actions[1].Packets);
        Assert.Equal(packets, actions[1].Packets + actions[2].Packets);
        Assert.True(packets > 1_000_000, $"{packets}");
    }

    private static void Churn(PlaneFixture plane, IpFamily family, CancellationToken stop)
    {
        var random = new Random(11);
        var rules = new Dictionary<(Policy, Cidr), int>();
        var free = new Stack<int>(Enumerable.Range(64, 384));
        while (!stop.IsCancellationRequested)
        {
            // Around the steady sources, never covering the unlisted ones: drop's rules lie below host numbers of 128.
            int max = family == IpFamily.V4 ? 32 : 128;
            int length = random.Next(3) == 0 ? max : max - random.Next(0, 6);
            Cidr cidr = PlaneFixture.Parse($"{Source(family, random.Next(48), random.Next(8, 128))}/{length}");
            Policy policy = random.Next(6) == 0 ? Policy.Ignore : Policy.Drop;
            if (policy == Policy.Ignore || cidr.Contains(PlaneFixture.Parse($"{Source(family, 0, 7)}/{max}")))
            {
                cidr = cidr.WithLength(max);
            }

            if (policy == Policy.Ignore && LastByte(cidr) is 7 or 6 or 200)
            {
                continue;
            }

            if (rules.Remove((policy, cidr), out int slot))
            {
                Apply(plane, MutationKind.Remove, policy, cidr, slot, 0);
                free.Push(slot);
            }
            else if (free.TryPop(out slot))
            {
                rules[(policy, cidr)] = slot;
                Apply(plane, MutationKind.Put, policy, cidr, slot, random.Next(16));
                Apply(plane, MutationKind.Put, policy, cidr, slot, random.Next(16));
            }
            else
            {
                ((Policy p, Cidr c), slot) = rules.First();
                rules.Remove((p, c));
                Apply(plane, MutationKind.Remove, p, c, slot, 0);
                free.Push(slot);
            }

            // A steady rule is replaced, and a block around it comes and goes.
            int steady = random.Next(48);
            int host = steady % 3 == 0 ? max - 1 : max;
            Apply(plane, MutationKind.Put, Policy.Drop, PlaneFixture.Parse($"{Source(family, steady, 7)}/{host}"), steady, random.Next(16));
            Cidr around = PlaneFixture.Parse($"{Source(family, steady, 0)}/{max - 7}");
            Apply(plane, MutationKind.Put, Policy.Drop, around, 48, 0);
            Apply(plane, MutationKind.Remove, Policy.Drop, around, 48, 0);
            ApplyBurst(plane, family, random);
        }
    }

    /// <summary>A burst of new hosts and blocks beside the steady ones, in other slots, and its end.</summary>
    private static void ApplyBurst(PlaneFixture plane, IpFamily family, Random random)
    {
        int max = family == IpFamily.V4 ? 32 : 128;
        EntryMutation[] rules = [.. Enumerable.Range(0, random.Next(1, 16))
            .Select(i => PlaneFixture.Parse($"{Source(family, i, random.Next(130, 190))}/{max - random.Next(0, 2)}"))
            .Distinct()
            .Select((cidr, i) => PlaneFixture.Put(Policy.Drop, cidr, random.Next(16), 450 + i))];
        foreach (MutationKind kind in (ReadOnlySpan<MutationKind>)[MutationKind.Put, MutationKind.Remove])
        {
            plane.Apply([.. rules.Select(rule => rule with { Kind = kind })]);
        }
    }

    private static int LastByte(Cidr cidr) => (int)((cidr.Family == IpFamily.V4 ? cidr.V4 : cidr.Low) & 0xff);

    private static void Apply(PlaneFixture plane, MutationKind kind, Policy policy, Cidr cidr, int slot, int counter) =>
        plane.Apply(new EntryMutation { Kind = kind, Policy = policy, Cidr = cidr, Counter = counter, Slot = slot });

    private static string Source(IpFamily family, int i, int last) =>
        family == IpFamily.V4 ? $"10.{i % 3}.{i}.{last}" : $"2001:db8:{i % 3:x}:{i:x}::{last:x}";

    private static byte[] Packet(IpFamily family, string source) =>
        family == IpFamily.V4 ? Packets.Ethernet(0x0800, Packets.V4(source)) : Packets.Ethernet(0x86dd, Packets.V6(source));
}
