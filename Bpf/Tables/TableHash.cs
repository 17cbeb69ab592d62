namespace Couic.Bpf.Tables;

/// <summary>The hashes of tables.bpf.h. A test compares both sides by what the program finds.</summary>
internal static class TableHash
{
    /// <summary>The bucket of a key's n-th choice.</summary>
    public static uint Bucket(ulong key, int choice, uint buckets)
    {
        key *= choice switch { 0 => 0x9e3779b97f4a7c15, 1 => 0xc2b2ae3d27d4eb4f, _ => 0xff51afd7ed558ccd };
        return (uint)(((key >> 32) * buckets) >> 32);
    }

    /// <summary>Spreads a part of an IPv6 address.</summary>
    public static uint Fold(ulong bits) => (uint)(unchecked(bits * 0x9e3779b97f4a7c15ul) >> 32);
}
