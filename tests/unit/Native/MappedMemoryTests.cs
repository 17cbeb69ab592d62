using Couic.Native;
using Couic.Tests.Bpf;
using Xunit;

namespace Couic.Tests.Native;

[Collection("bpf")]
public class MappedMemoryTests
{
    [Fact]
    public void Reach_AfterDispose_MapsNothing()
    {
        using var plane = new PlaneFixture();
        Assert.Equal(Errno.None, MappedMemory.TryMap(plane.Maps.Lines, 1 << 20, out MappedMemory? memory));
        Assert.Equal(Errno.None, memory!.EnsureMapped(1 << 17, 1));
        memory.Dispose();
        Assert.Throws<ObjectDisposedException>(() => memory.EnsureMapped(1 << 18, 1));
    }
}
