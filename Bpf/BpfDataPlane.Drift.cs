using System.Buffers.Binary;
using Couic.Native;
using Couic.Store;

namespace Couic.Bpf;

// What a comparison of the tries with the store reads and mends. Somebody with privileges can change maps behind our back.
public sealed partial class BpfDataPlane
{
    /// <summary>
    /// Reads some entries of a trie, in the kernel's order, behind those that the last call read. Entries that come or go
    /// meanwhile may be read twice or not at all.
    /// </summary>
    /// <param name="last">The last key that was read; empty at the start.</param>
    /// <returns>How many were read; 0 behind the last.</returns>
    internal int ReadTrie(Policy policy, IpFamily family, ref byte[] last, Span<(Cidr Cidr, uint Value)> entries)
    {
        FileDescriptor trie = _maps.Trie(policy, family);
        Span<byte> key = stackalloc byte[TrieEntry.KeySize(family)];
        Span<byte> value = stackalloc byte[sizeof(uint)];
        int count = 0;
        while (count < entries.Length)
        {
            Errno errno = BpfSyscall.NextKey(trie, last, key);
            if (errno == Errno.ENOENT)
            {
                break;
            }

            Require(errno, "read", policy, family);
            last = last.Length == 0 ? new byte[key.Length] : last;
            key.CopyTo(last);
            if (BpfSyscall.Lookup(trie, key, value) == Errno.None)
            {
                entries[count++] = (TrieEntry.Read(family, key), BinaryPrimitives.ReadUInt32LittleEndian(value));
            }
        }

        return count;
    }

    /// <summary>What the trie should hold for an entry in a slot; 0 if there is none.</summary>
    internal uint Expected(Policy policy, Cidr cidr, int slot)
    {
        uint rule = RuleIn(policy, cidr.Family, slot);
        return rule == 0 ? 0 : TrieEntry.Value(cidr, rule);
    }

    /// <summary>Writes what the trie should hold for an entry. Under the store's lock.</summary>
    /// <returns>Whether it held something else.</returns>
    internal bool Restore(Policy policy, Cidr cidr, int slot)
    {
        Span<byte> key = stackalloc byte[Layout.Key6Size];
        Span<byte> value = stackalloc byte[sizeof(uint)];
        FileDescriptor trie = _maps.Trie(policy, cidr.Family);
        key = key[..TrieEntry.Write(cidr, key)];
        uint expected = Expected(policy, cidr, slot);
        if (expected == 0 || (BpfSyscall.Lookup(trie, key, value) == Errno.None && BinaryPrimitives.ReadUInt32LittleEndian(value) == expected))
        {
            return false;
        }

        BinaryPrimitives.WriteUInt32LittleEndian(value, expected);
        Require(BpfSyscall.Update(trie, key, value), $"restore {cidr} in", policy, cidr.Family);
        return true;
    }

    /// <summary>Removes a key that no entry stands for. Under the store's lock.</summary>
    /// <returns>Whether it was there.</returns>
    internal bool RemoveUnknown(Policy policy, Cidr cidr)
    {
        Span<byte> key = stackalloc byte[Layout.Key6Size];
        Errno errno = BpfSyscall.Delete(_maps.Trie(policy, cidr.Family), key[..TrieEntry.Write(cidr, key)]);
        if (errno != Errno.ENOENT)
        {
            Require(errno, $"remove {cidr} from", policy, cidr.Family);
        }

        return errno == Errno.None;
    }

    /// <summary>A comparison that cannot read or write has no result: that must not look like an agreement.</summary>
    private static void Require(Errno errno, string action, Policy policy, IpFamily family)
    {
        if (errno != Errno.None)
        {
            throw new BpfException($"{action} map \"{PlaneMaps.Names[((int)policy * 2) + (int)family]}\": {errno.Text()}", errno);
        }
    }
}
