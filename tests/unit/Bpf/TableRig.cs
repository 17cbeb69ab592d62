using Couic.Bpf;
using Couic.Bpf.Tables;
using Couic.Native;
using Couic.Store;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Bpf;

/// <summary>The tables of one policy in a file instead of a kernel's map, so that what they hold can be compared word by word.</summary>
internal sealed class TableRig : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly FileStream _file;
    private readonly FileDescriptor _descriptor;
    private readonly MappedMemory _memory;
    private readonly TableLayout _layout;
    private readonly Tables4 _tables4;
    private readonly Tables6 _tables6;

    public TableRig(int entries)
    {
        _layout = new TableLayout(new StoreLimits(entries, 1, 8));
        long length = (long)_layout.Lines * Layout.CacheLineSize;
        _file = new FileStream(_folder["lines"], FileMode.CreateNew);
        _file.SetLength(length + 4096);
        _descriptor = new FileDescriptor((int)_file.SafeFileHandle.DangerousGetHandle(), ownsHandle: false);
        Assert.Equal(Errno.None, MappedMemory.TryMap(_descriptor, length, out MappedMemory? memory));
        _memory = memory!;
        _tables4 = new Tables4(_memory, Policy.Drop, _layout.V4(Policy.Drop));
        _tables6 = new Tables6(_memory, Policy.Drop, _layout.V6(Policy.Drop));
    }

    /// <summary>The summary and all that leads to the rules: bits and lengths, of IPv4, then of IPv6.</summary>
    public ulong[] Words => [.. Read(0, 1), .. Read(V4.CoarseFilter, V4.Rules), .. Read(V6.CoarseFilter, V6.Rules)];

    /// <summary>Bits by /16 and by /22, and lengths by /16.</summary>
    public (ulong[] Coarse, ulong[] Fine, ulong[] Lengths) Parts4 => (Read(V4.CoarseFilter, V4.FineFilter), Read(V4.FineFilter, V4.Lengths), Read(V4.Lengths, V4.Rules));

    /// <summary>Bits by /20.</summary>
    public ulong[] ShortPrefixes => Read(V6.ShortPrefixFilter, V6.Lengths);

    private Region4 V4 => _layout.V4(Policy.Drop);

    private Region6 V6 => _layout.V6(Policy.Drop);

    public void Add(Cidr cidr)
    {
        Assert.Equal(Errno.None, cidr.Family == IpFamily.V4 ? _tables4.EnsureMapped(cidr) : _tables6.EnsureMapped(cidr));
        if (cidr.Family == IpFamily.V4)
        {
            _tables4.Set(cidr, 1, isNew: true);
        }
        else
        {
            _tables6.Set(cidr, 1, isNew: true);
        }
    }

    public void Remove(Cidr cidr)
    {
        if (cidr.Family == IpFamily.V4)
        {
            _tables4.Remove(cidr);
        }
        else
        {
            _tables6.Remove(cidr);
        }
    }

    public void Dispose()
    {
        _memory.Dispose();
        _descriptor.Dispose();
        _file.Dispose();
        _folder.Dispose();
    }

    /// <summary>Lines from one up to another.</summary>
    private ulong[] Read(uint from, uint to) => _memory.As<ulong>()[((int)from * 8)..((int)to * 8)].ToArray();
}
