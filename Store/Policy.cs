namespace Couic.Store;

/// <summary>What happens to a packet whose source an entry covers. <see cref="Ignore"/> always wins over <see cref="Drop"/>.</summary>
public enum Policy : byte
{
    Drop = 0,
    Ignore = 1,
}

/// <summary>The words for policies, as they stand in paths, bodies, file names and logs.</summary>
public static class Policies
{
    public static ReadOnlySpan<Policy> All => [Policy.Drop, Policy.Ignore];

    public static string Name(this Policy policy) => policy == Policy.Drop ? "drop" : "ignore";

    public static ReadOnlySpan<byte> Utf8Name(this Policy policy) => policy == Policy.Drop ? "drop"u8 : "ignore"u8;

    /// <summary>Exactly <c>drop</c> or <c>ignore</c>; case counts.</summary>
    public static bool TryParse(ReadOnlySpan<byte> word, out Policy policy)
    {
        policy = word.SequenceEqual("ignore"u8) ? Policy.Ignore : Policy.Drop;
        return policy == Policy.Ignore || word.SequenceEqual("drop"u8);
    }

    /// <inheritdoc cref="TryParse(ReadOnlySpan{byte}, out Policy)"/>
    public static bool TryParse(ReadOnlySpan<char> word, out Policy policy)
    {
        policy = word.SequenceEqual("ignore") ? Policy.Ignore : Policy.Drop;
        return policy == Policy.Ignore || word.SequenceEqual("drop");
    }
}

/// <summary>Address family of a CIDR. An IPv4-mapped IPv6 address is <see cref="V6"/>.</summary>
public enum IpFamily : byte
{
    V4 = 0,
    V6 = 1,
}
