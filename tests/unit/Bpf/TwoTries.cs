using System.Buffers.Binary;
using Couic.Bpf;
using Couic.Bpf.Elf;
using Couic.Native;
using Couic.Store;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Bpf;

/// <summary>The program of the benchmark that walks two tries for every packet and has nothing else, loaded and filled.</summary>
internal sealed class TwoTries : IDisposable
{
    private static readonly Lazy<byte[]> Program = new(() => CompiledC.Program("bench/_dataplane/two_tries.bpf.c", "WITHOUT_DRAW"));

    private readonly FileDescriptor _program;
    private readonly Dictionary<(Policy, IpFamily), FileDescriptor> _tries = [];
    private readonly byte[] _key = new byte[20];
    private readonly byte[] _value = new byte[4];

    public TwoTries()
    {
        using KernelObjects objects = KernelObjects.Make(ObjectSpec.Read(Program.Value, "xdp"));
        _program = objects.TakeProgram();
        foreach (Policy policy in Policies.All)
        {
            _tries[(policy, IpFamily.V4)] = objects.TakeMap($"{policy.Name()}4");
            _tries[(policy, IpFamily.V6)] = objects.TakeMap($"{policy.Name()}6");
        }
    }

    public void Apply(MutationKind kind, Policy policy, Cidr cidr, int tag)
    {
        FileDescriptor trie = _tries[(policy, cidr.Family)];
        BinaryPrimitives.WriteInt32LittleEndian(_value, tag);
        Span<byte> key = _key.AsSpan(0, TrieEntry.Write(cidr, _key));
        Assert.Equal(Errno.None, kind == MutationKind.Put ? BpfSyscall.Update(trie, key, _value) : BpfSyscall.Delete(trie, key));
    }

    public uint Run(byte[] packet)
    {
        Assert.Equal(Errno.None, BpfSyscall.TestRun(_program, packet, 1, out uint verdict, out _));
        return verdict;
    }

    /// <summary>The tag of the longest prefix that covers a host; of ignore, else of drop.</summary>
    public bool TryFindTag(Cidr host, out Policy policy, out int tag)
    {
        Span<byte> key = _key.AsSpan(0, TrieEntry.Write(host, _key));
        policy = BpfSyscall.Lookup(_tries[(Policy.Ignore, host.Family)], key, _value) == Errno.None ? Policy.Ignore : Policy.Drop;
        bool isListed = policy == Policy.Ignore || BpfSyscall.Lookup(_tries[(Policy.Drop, host.Family)], key, _value) == Errno.None;
        tag = BinaryPrimitives.ReadInt32LittleEndian(_value);
        return isListed;
    }

    public void Dispose()
    {
        _program.Dispose();
        foreach (FileDescriptor trie in _tries.Values)
        {
            trie.Dispose();
        }
    }
}
