namespace Couic.Bpf;

/// <summary>What couic.h says, for this side. A test compiles the header and compares every name.</summary>
internal static class Layout
{
    public const int MaxDropEntries = 262_144;
    public const int MaxIgnoreEntries = 65_536;
    public const int MaxTags = 4_096;

    /// <summary>How many times larger than the limits the kernel's tables are; couic.h says why.</summary>
    public const int Headroom = 2;

    public const int CounterUnlisted = 0;
    public const int CounterNotIp = 1;
    public const int CounterMalformed = 2;
    public const int CounterTags = 8;

    /// <summary>Bytes of struct couic_counter: packets, bytes.</summary>
    public const int CounterSize = 16;

    /// <summary>Bytes of struct couic_rule: counter, slot.</summary>
    public const int RuleSize = 8;

    /// <summary>Bytes of struct couic_hit: packets, last.</summary>
    public const int HitSize = 16;

    /// <summary>Bytes of struct couic_key4: length, address.</summary>
    public const int Key4Size = 8;

    /// <summary>Bytes of struct couic_key6: length, address.</summary>
    public const int Key6Size = 20;
}
