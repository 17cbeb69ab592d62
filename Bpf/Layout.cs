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
    public const int CounterTags = 8;

    /// <summary>Bytes of struct couic_counter: packets, bytes.</summary>
    public const int CounterSize = 16;

    /// <summary>Bytes of struct couic_record: hit, counter.</summary>
    public const int RecordSize = 16;

    /// <summary>A hit has so many bits of packets, and its ticks above them.</summary>
    public const int HitShift = 40;

    /// <summary>A hit's ticks are 2 to this power nanoseconds.</summary>
    public const int TickShift = 31;

    /// <summary>Bytes of struct couic_key4: length, address.</summary>
    public const int Key4Size = 8;

    /// <summary>Bytes of struct couic_key6: length, address.</summary>
    public const int Key6Size = 20;

    /// <summary>Bytes of struct couic_line: 8 words or 16 nodes.</summary>
    public const int LineSize = 64;

    public const int Hosts4 = 7;
    public const int Hosts6 = 4;
    public const int Hosts6State = 4;
    public const int Hosts6Hits = 4;
    public const int BucketLines = 2;
    public const int Probes = 3;

    public const uint NodeLine = 0x8000_0000;
    public const uint NodeTrie = 0x7fff_ffff;
    public const uint NodeRule = 0x03ff_ffff;
    public const int NodeLengthShift = 26;

    public const uint Rule6 = 0x00ff_ffff;
    public const int Rule6LengthShift = 24;

    public const int Bits4Wide = 16;
    public const int Bits4Narrow = 24;
    public const int Bits6Wide = 16;
    public const int Bits6Narrow = 24;
    public const int Bits6Short = 20;

    /// <summary>Bytes of struct couic_tables4.</summary>
    public const int Tables4Size = 32;

    /// <summary>Bytes of struct couic_tables6.</summary>
    public const int Tables6Size = 20;
}
