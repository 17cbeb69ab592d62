using System.Reflection;
using Couic.Bpf;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Bpf;

public class LayoutTests
{
    // What couic.h calls it, and what Layout does.
    private static readonly (string C, string Name)[] Pairs =
    [
        ("COUIC_MAX_DROP_ENTRIES", nameof(Layout.MaxDropEntries)),
        ("COUIC_MAX_IGNORE_ENTRIES", nameof(Layout.MaxIgnoreEntries)),
        ("COUIC_MAX_TAGS", nameof(Layout.MaxTags)),
        ("COUIC_HEADROOM", nameof(Layout.Headroom)),
        ("COUIC_COUNTER_UNLISTED", nameof(Layout.CounterUnlisted)),
        ("COUIC_COUNTER_NOT_IP", nameof(Layout.CounterNotIp)),
        ("COUIC_COUNTER_MALFORMED", nameof(Layout.CounterMalformed)),
        ("COUIC_COUNTER_TAGS", nameof(Layout.CounterTags)),
        ("sizeof(struct couic_counter)", nameof(Layout.CounterSize)),
        ("sizeof(struct couic_rule)", nameof(Layout.RuleSize)),
        ("sizeof(struct couic_hit)", nameof(Layout.HitSize)),
        ("sizeof(struct couic_key4)", nameof(Layout.Key4Size)),
        ("sizeof(struct couic_key6)", nameof(Layout.Key6Size)),
    ];

    [Fact]
    public void HeaderAndLayoutAgree()
    {
        long[] values = CompiledC.Evaluate(["<stddef.h>", "couic.h"], [.. Pairs.Select(p => p.C)]);

        for (int i = 0; i < Pairs.Length; i++)
        {
            Assert.Equal((Pairs[i].Name, values[i]), (Pairs[i].Name, Value(Pairs[i].Name)));
        }
    }

    [Fact]
    public void EveryConstantOfLayoutIsCompared() => Assert.Equal(
        typeof(Layout).GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => f.Name).Order(),
        Pairs.Select(p => p.Name).Order());

    [Fact]
    public void OffsetsAreThoseOfTheHeader() => Assert.Equal(
        [0, 8, 0, 4, 0, 8, 0, 4, 0, 4],
        CompiledC.Evaluate(["<stddef.h>", "couic.h"], [
            "offsetof(struct couic_counter, packets)", "offsetof(struct couic_counter, bytes)",
            "offsetof(struct couic_rule, counter)", "offsetof(struct couic_rule, slot)",
            "offsetof(struct couic_hit, packets)", "offsetof(struct couic_hit, last)",
            "offsetof(struct couic_key4, length)", "offsetof(struct couic_key4, address)",
            "offsetof(struct couic_key6, length)", "offsetof(struct couic_key6, address)",
        ]));

    [Fact]
    public void DefaultLimitsAreThoseOfTheStore()
    {
        Assert.Equal(Layout.MaxDropEntries, Couic.Store.StoreLimits.Default.MaxDropEntries);
        Assert.Equal(Layout.MaxIgnoreEntries, Couic.Store.StoreLimits.Default.MaxIgnoreEntries);
        Assert.Equal(Layout.MaxTags, Couic.Store.StoreLimits.Default.MaxTags);
    }

    private static long Value(string name) => (int)typeof(Layout).GetField(name)!.GetRawConstantValue()!;
}
