namespace Couic.Peering;

/// <summary>
/// When and where a rule was last changed. Stamps are totally ordered and no two changes share one, so the greater of two
/// is the same on every node: the last word on a CIDR.
/// </summary>
/// <param name="Time">Hybrid logical time: milliseconds since 1970 times 65,536, plus a count.</param>
/// <param name="Node">Number of the node that made the change, drawn anew at each of its starts; breaks ties.</param>
public readonly record struct Stamp(ulong Time, ulong Node) : IComparable<Stamp>
{
    public int CompareTo(Stamp other) =>
        Time != other.Time ? Time.CompareTo(other.Time) : Node.CompareTo(other.Node);

    public static bool operator <(Stamp left, Stamp right) => left.CompareTo(right) < 0;

    public static bool operator >(Stamp left, Stamp right) => left.CompareTo(right) > 0;

    public static bool operator <=(Stamp left, Stamp right) => left.CompareTo(right) <= 0;

    public static bool operator >=(Stamp left, Stamp right) => left.CompareTo(right) >= 0;
}
