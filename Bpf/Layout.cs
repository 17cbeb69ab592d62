namespace Couic.Bpf;

/// <summary>What couic.h says, for this side. A test compiles the header and compares every name.</summary>
internal static class Layout
{
    public const int MaxDropEntries = 262_144;
    public const int MaxIgnoreEntries = 65_536;
    public const int MaxTags = 4_096;

    /// <summary>How many times larger than the limits the kernel's tries are; couic.h says why.</summary>
    public const int Headroom = 2;

    public const int CounterUnlisted = 0;
    public const int CounterNotIp = 1;
    public const int CounterMalformed = 2;
    public const int CounterTooManyTags = 3;
    public const int CounterTags = 8;

    /// <summary>Bytes of struct couic_counter: packets, bytes.</summary>
    public const int CounterSize = 16;

    /// <summary>Bytes of struct couic_record: hit, counter.</summary>
    public const int OverflowStatsSize = 16;

    /// <summary>A hit has so many bits of packets, and its ticks above them.</summary>
    public const int HitShift = 40;

    /// <summary>A hit's ticks are 2 to this power nanoseconds.</summary>
    public const int TickShift = 31;

    /// <summary>Bytes of struct couic_key4: length, address.</summary>
    public const int Key4Size = 8;

    /// <summary>Bytes of struct couic_key6: length, address.</summary>
    public const int Key6Size = 20;

    /// <summary>Bytes of struct couic_line: 8 words or 16 halves.</summary>
    public const int CacheLineSize = 64;

    public const int Slots = 4;
    public const int Probes = 3;
    public const int MaxLengths = 8;

    public const long Key4 = 0x1_ffff_ffff;
    public const int Rule4Shift = 33;
    public const int Displaced4Shift = 62;
    public const int Overflow4Shift = 63;

    public const int Bucket6Lines = 2;
    public const int Bucket6State = 4;
    public const int Bucket6Hits = 4;
    public const int KindShift = 30;
    public const uint KindHost = 1;
    public const uint KindLong = 2;
    public const uint KindShort = 3;
    public const uint Displaced6 = 0x4000_0000;
    public const uint Overflow6 = 0x8000_0000;

    public const uint Rule = 0x00ff_ffff;
    public const int RuleLengthShift = 24;

    public const int LengthSummary4 = 0;
    public const int LengthSummary6 = 2;

    public const int Bits4Coarse = 16;
    public const int Bits4Fine = 22;
    public const int Bits6Coarse = 16;
    public const int Bits6Fine = 22;
    public const int Bits6ShortPrefix = 20;

    /// <summary>Bytes of struct couic_tables4.</summary>
    public const int Tables4Size = 20;

    /// <summary>Bytes of struct couic_tables6.</summary>
    public const int Tables6Size = 24;
}
