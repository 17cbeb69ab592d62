namespace Couic.Bpf.Tables;

/// <summary>The hashes of tables.bpf.h. A test compares both sides by what the program finds.</summary>
internal static class HostHash
{
    /// <summary>The bucket of a host's n-th choice.</summary>
    public static uint Bucket(uint hash, int choice, uint buckets)
    {
        hash += unchecked((uint)choice * 0x9e3779b9u);
        hash ^= hash >> 15;
        hash *= 0x85ebca6bu;
        hash ^= hash >> 13;
        return (uint)(((ulong)hash * buckets) >> 32);
    }

    /// <summary>Spreads a part of an IPv6 address.</summary>
    public static uint Fold(ulong bits) => (uint)(unchecked(bits * 0x9e3779b97f4a7c15ul) >> 32);

    public static uint Host6(ulong high, ulong low) => Fold(high ^ unchecked(low * 0xff51afd7ed558ccdul) ^ (low >> 29));
}
