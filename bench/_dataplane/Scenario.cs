using Couic.Store;

namespace Couic.Bench.DataPlane;

/// <summary>What is listed and what arrives.</summary>
internal sealed record Scenario
{
    public required IpFamily Family { get; init; }

    /// <summary>Rules of drop.</summary>
    public uint Rules { get; init; }

    public bool Mixed { get; init; }

    /// <summary>Whether sources are those of drop's rules, else any.</summary>
    public bool Listed { get; init; }

    /// <summary>Whether sources are any that no rule covers: a part of all IPv4 addresses is in short prefixes, if there are many.</summary>
    public bool NotListed { get; init; }

    /// <summary>Rules of ignore; none is the source of a packet.</summary>
    public uint Ignored { get; init; }

    public int Tags { get; init; } = 1;

    public int VlanTags { get; init; }

    public bool PerEntryCounters { get; init; } = true;

    /// <summary>Whether it is one of <see cref="Hosts"/>.</summary>
    public bool IsPlain => Hosts(Rules).Contains(this);

    public string FamilyName => Family == IpFamily.V4 ? "IPv4" : "IPv6";

    public string Name =>
        $"{FamilyName} {Rules:N0} {(Mixed ? "mixed" : "hosts")}, {(Listed ? "listed" : NotListed ? "not listed" : "any source")}"
        + (Ignored > 0 ? $", {Ignored:N0} ignored" : "") + (Tags > 1 ? $", {Tags:N0} tags" : "")
        + (VlanTags > 0 ? $", {VlanTags} VLAN tags" : "") + (PerEntryCounters ? "" : ", not counted per entry");

    /// <summary>So many hosts of each family.</summary>
    public static IEnumerable<Scenario> Hosts(uint rules)
    {
        foreach (IpFamily family in (IpFamily[])[IpFamily.V4, IpFamily.V6])
        {
            yield return new Scenario { Family = family, Rules = rules };
            yield return new Scenario { Family = family, Rules = rules, Listed = true };
        }
    }

    /// <summary>The table of the documentation, and what it leaves out.</summary>
    public static IEnumerable<Scenario> All()
    {
        const uint Full = 262_144;
        const uint FullIgnore = 65_536;
        foreach (IpFamily family in (IpFamily[])[IpFamily.V4, IpFamily.V6])
        {
            yield return new Scenario { Family = family };
            foreach (uint rules in (uint[])[10_000, Full])
            {
                yield return new Scenario { Family = family, Rules = rules };
                yield return new Scenario { Family = family, Rules = rules, Listed = true };
            }

            yield return new Scenario { Family = family, Rules = Full, Mixed = true };
            if (family == IpFamily.V4)
            {
                yield return new Scenario { Family = family, Rules = Full, Mixed = true, NotListed = true };
            }

            yield return new Scenario { Family = family, Rules = Full, Mixed = true, Listed = true };
            yield return new Scenario { Family = family, Rules = Full, Listed = true, PerEntryCounters = false };
            yield return new Scenario { Family = family, Rules = Full, Mixed = true, Listed = true, PerEntryCounters = false };
        }

        foreach (int tags in (int[])[64, 1_000])
        {
            yield return new Scenario { Family = IpFamily.V4, Rules = Full, Listed = true, Tags = tags };
        }

        foreach (uint ignored in (uint[])[16, FullIgnore])
        {
            yield return new Scenario { Family = IpFamily.V4, Rules = Full, Ignored = ignored };
            yield return new Scenario { Family = IpFamily.V4, Rules = Full, Ignored = ignored, Listed = true };
        }

        yield return new Scenario { Family = IpFamily.V4, Rules = Full, VlanTags = 1 };
        yield return new Scenario { Family = IpFamily.V4, Rules = Full, VlanTags = 2 };
    }
}
