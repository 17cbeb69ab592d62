using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using Couic.Bpf;
using Couic.Bpf.Tables;
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
        ("COUIC_COUNTER_TOO_MANY_TAGS", nameof(Layout.CounterTooManyTags)),
        ("COUIC_COUNTER_TAGS", nameof(Layout.CounterTags)),
        ("sizeof(struct couic_counter)", nameof(Layout.CounterSize)),
        ("sizeof(struct couic_overflow_stats)", nameof(Layout.OverflowStatsSize)),
        ("COUIC_HIT_SHIFT", nameof(Layout.HitShift)),
        ("COUIC_TICK_SHIFT", nameof(Layout.TickShift)),
        ("sizeof(struct couic_key4)", nameof(Layout.Key4Size)),
        ("sizeof(struct couic_key6)", nameof(Layout.Key6Size)),
        ("sizeof(struct couic_cache_line)", nameof(Layout.CacheLineSize)),
        ("COUIC_SLOTS", nameof(Layout.Slots)),
        ("COUIC_PROBES", nameof(Layout.Probes)),
        ("COUIC_MAX_LENGTHS", nameof(Layout.MaxLengths)),
        ("COUIC_KEY4", nameof(Layout.Key4)),
        ("COUIC_RULE4_SHIFT", nameof(Layout.Rule4Shift)),
        ("COUIC_DISPLACED4_SHIFT", nameof(Layout.Displaced4Shift)),
        ("COUIC_OVERFLOW4_SHIFT", nameof(Layout.Overflow4Shift)),
        ("COUIC_BUCKET6_LINES", nameof(Layout.Bucket6Lines)),
        ("COUIC_BUCKET6_STATE", nameof(Layout.Bucket6State)),
        ("COUIC_BUCKET6_HITS", nameof(Layout.Bucket6Hits)),
        ("COUIC_KIND_SHIFT", nameof(Layout.KindShift)),
        ("COUIC_KIND_HOST", nameof(Layout.KindHost)),
        ("COUIC_KIND_LONG", nameof(Layout.KindLong)),
        ("COUIC_KIND_SHORT", nameof(Layout.KindShort)),
        ("COUIC_DISPLACED6", nameof(Layout.Displaced6)),
        ("COUIC_OVERFLOW6", nameof(Layout.Overflow6)),
        ("COUIC_RULE", nameof(Layout.Rule)),
        ("COUIC_RULE_LENGTH_SHIFT", nameof(Layout.RuleLengthShift)),
        ("COUIC_LENGTH_SUMMARY4", nameof(Layout.LengthSummary4)),
        ("COUIC_LENGTH_SUMMARY6", nameof(Layout.LengthSummary6)),
        ("COUIC_BITS4_COARSE", nameof(Layout.Bits4Coarse)),
        ("COUIC_BITS4_FINE", nameof(Layout.Bits4Fine)),
        ("COUIC_BITS6_COARSE", nameof(Layout.Bits6Coarse)),
        ("COUIC_BITS6_FINE", nameof(Layout.Bits6Fine)),
        ("COUIC_BITS6_SHORT_PREFIX", nameof(Layout.Bits6ShortPrefix)),
        ("sizeof(struct couic_tables4)", nameof(Layout.Tables4Size)),
        ("sizeof(struct couic_tables6)", nameof(Layout.Tables6Size)),
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
        [0, 8, 0, 8, 0, 4, 0, 4, 0, 0],
        CompiledC.Evaluate(["<stddef.h>", "couic.h"], [
            "offsetof(struct couic_counter, packets)", "offsetof(struct couic_counter, bytes)",
            "offsetof(struct couic_overflow_stats, hit)", "offsetof(struct couic_overflow_stats, counter)",
            "offsetof(struct couic_key4, length)", "offsetof(struct couic_key4, address)",
            "offsetof(struct couic_key6, length)", "offsetof(struct couic_key6, address)",
            "offsetof(struct couic_cache_line, words)", "offsetof(struct couic_cache_line, halves)",
        ]));

    [Theory]
    [InlineData("couic_tables4", typeof(Region4))]
    [InlineData("couic_tables6", typeof(Region6))]
    public void RegionsHaveTheMembersOfTheHeader(string name, Type type)
    {
        string[] fields = [.. type.GetFields().Select(f => f.Name)];
        string[] members = [.. fields.Select(f => string.Concat(f.Select((c, i) => char.IsUpper(c) && i > 0 ? $"_{c}" : $"{c}")).ToLowerInvariant())];
        long[] offsets = CompiledC.Evaluate(["<stddef.h>", "couic.h"], [.. members.Select(m => $"offsetof(struct {name}, {m})")]);

        Assert.Equal(offsets, fields.Select(f => (long)Marshal.OffsetOf(type, f)));
    }

    [Fact]
    public void DefaultLimitsAreThoseOfTheStore()
    {
        Assert.Equal(Layout.MaxDropEntries, Couic.Store.StoreLimits.Default.MaxDropEntries);
        Assert.Equal(Layout.MaxIgnoreEntries, Couic.Store.StoreLimits.Default.MaxIgnoreEntries);
        Assert.Equal(Layout.MaxTags, Couic.Store.StoreLimits.Default.MaxTags);
    }

    private static long Value(string name) => Convert.ToInt64(typeof(Layout).GetField(name)!.GetRawConstantValue(), CultureInfo.InvariantCulture);
}
