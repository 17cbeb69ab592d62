namespace Couic.Demo;

/// <summary>
/// The rules of the demonstration, and packets with their verdicts before the rules, with them, and after one was removed and
/// one has expired. Addresses are those of RFC 5737 and RFC 3849 for documentation.
/// </summary>
internal static class DemoScenario
{
    public const string Removed = "203.0.113.66/32";
    public const string Expiring = "192.0.2.128/25";

    /// <summary>Lifetime of <see cref="Expiring"/>; the API takes whole seconds, and one that begins now may end at once.</summary>
    public const int LifetimeSeconds = 3;

    public static IReadOnlyList<(string Policy, string Cidr)> Rules { get; } =
    [
        ("drop", "198.51.100.0/24"),
        ("ignore", "198.51.100.10/32"),
        ("drop", Removed),
        ("drop", Expiring),
        ("drop", "2001:db8:bad::/48"),
        ("ignore", "2001:db8:bad:600d::/64"),
    ];

    public static IReadOnlyList<DemoPacket> WithRules { get; } =
    [
        new("192.0.2.10", Passes: true, "no rule covers it"),
        new("198.51.100.20", Passes: false, "drop 198.51.100.0/24"),
        new("198.51.100.10", Passes: true, "ignore 198.51.100.10/32 wins over drop"),
        new("203.0.113.66", Passes: false, "drop 203.0.113.66/32"),
        new("203.0.113.67", Passes: true, "no rule covers it"),
        new("192.0.2.200", Passes: false, "drop 192.0.2.128/25, for 3 s"),
        new("198.51.100.20", Passes: false, "drop 198.51.100.0/24", Vlan: 100),
        new("2001:db8:1::1", Passes: true, "no rule covers it"),
        new("2001:db8:bad::1", Passes: false, "drop 2001:db8:bad::/48"),
        new("2001:db8:bad:600d::1", Passes: true, "ignore 2001:db8:bad:600d::/64 wins"),
    ];

    /// <summary>The same sources before any rule.</summary>
    public static IReadOnlyList<DemoPacket> WithoutRules { get; } =
        [.. WithRules.Select(p => p with { Passes = true, Why = "no rule yet" })];

    public static IReadOnlyList<DemoPacket> AfterRemoval { get; } =
    [
        new("203.0.113.66", Passes: true, "drop 203.0.113.66/32 was removed"),
        new("198.51.100.20", Passes: false, "drop 198.51.100.0/24 is still there"),
    ];

    public static DemoPacket Expired { get; } = new("192.0.2.200", Passes: true, "drop 192.0.2.128/25 has expired");
}
