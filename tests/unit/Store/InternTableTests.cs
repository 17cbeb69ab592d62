using Couic.Store;
using Xunit;

namespace Couic.Tests.Store;

public class InternTableTests
{
    [Fact]
    public void NoNameIsNumberZero()
    {
        var table = new NameTable(pinned: 0);
        Assert.Equal(0, table.Acquire(default));
        table.Release(0);
        Assert.Equal(0, table.Find(default));
        Assert.Equal("", table.Text(0));
    }

    [Fact]
    public void AKnownNameKeepsItsNumber()
    {
        var table = new NameTable(pinned: 10);
        int a = table.Acquire("a"u8);
        Assert.Equal(a, table.Acquire("a"u8));
        Assert.NotEqual(a, table.Acquire("b"u8));
        Assert.Equal(2, table.Holders(a));
        Assert.Equal("a", table.Text(a));
        Assert.Equal(-1, table.Find("c"u8));
    }

    [Fact]
    public void PinnedNumbersSurviveTheirLastHolder()
    {
        var table = new NameTable(pinned: 1);
        int a = table.Acquire("a"u8);
        table.Release(a);
        Assert.Equal(a, table.Find("a"u8));
        int b = table.Acquire("b"u8);
        table.Release(b);
        Assert.Equal(-1, table.Find("b"u8));
    }

    [Fact]
    public void NumbersAboveThePinnedOnesAreReused()
    {
        var table = new NameTable(pinned: 0);
        for (int i = 0; i < 10_000; i++)
        {
            table.Release(table.Acquire(System.Text.Encoding.ASCII.GetBytes($"name{i}")));
        }

        Assert.Equal(1, table.Last);
        int held = table.Acquire("held"u8);
        Assert.NotEqual(held, table.Acquire("other"u8));
        Assert.Equal("held", table.Text(held));
    }
}
