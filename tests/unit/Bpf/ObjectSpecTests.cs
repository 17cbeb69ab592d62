using Couic.Bpf;
using Couic.Bpf.Elf;
using Couic.Native;
using Xunit;

namespace Couic.Tests.Bpf;

public class ObjectSpecTests
{
    private static readonly byte[] File = XdpLoader.ReadResource().ToArray();

    [Fact]
    public void Object_DescribesItsMapsAndPrograms()
    {
        ObjectSpec spec = ObjectSpec.Read(File, "xdp");

        Assert.Equal("couic_xdp", spec.Program.Name);
        Assert.Equal("Dual MIT/GPL", spec.Program.License);
        Assert.Equal(PlaneMaps.Names.Order(), spec.Maps.Select(m => m.Name).Order());
        MapSpec trie = spec.Map("couic_ipv6_ignore");
        Assert.Equal(BpfSyscall.BPF_MAP_TYPE_LPM_TRIE, trie.Type);
        Assert.Equal((20u, 4u, 131_072u, 1u), (trie.KeySize, trie.ValueSize, trie.MaxEntries, trie.Flags));
        Assert.NotEmpty(spec.Program.References);
        Assert.NotEmpty(spec.Program.Lines.ToArray());
        Assert.Equal(9 * BpfSyscall.FunctionInfoSize, spec.Program.Functions.Length);
    }

    [Fact]
    public void ReadingIsPure()
    {
        ObjectSpec first = ObjectSpec.Read(File, "xdp");
        ObjectSpec second = ObjectSpec.Read(File, "xdp");
        first.SetConstant("match_destination", true);

        Assert.NotEqual(first.Constants, second.Constants);
        Assert.Equal(first.Types.Data.ToArray(), second.Types.Data.ToArray());
    }

    [Fact]
    public void EveryTruncationIsRefusedWithAMessage()
    {
        // The section headers lie at the end, so that nothing shorter is an object; all the same each must be said, not thrown.
        for (int length = 0; length < File.Length; length++)
        {
            BpfException e = Assert.Throws<BpfException>(() => ObjectSpec.Read(File.AsMemory(0, length), "xdp"));
            Assert.StartsWith("read xdp object: ", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void EveryTruncationOfEverySectionThatIsReadIsRefusedOrRead()
    {
        ElfFile elf = ElfFile.Read(File);
        foreach (string name in (string[])[".BTF", ".BTF.ext", "xdp", ".relxdp", ".symtab", ".strtab", ".rodata", "license"])
        {
            ElfSection section = elf.Find(name)!;
            int step = Math.Max(1, section.Data.Length / 512);
            for (int length = 0; length < section.Data.Length; length += step)
            {
                AssertReadOrRefused(WithSectionSize(section.Index, length));
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void DamagedObjectsAreReadOrRefused(int seed)
    {
        var random = new Random(seed);
        for (int round = 0; round < 3_000; round++)
        {
            byte[] damaged = [.. File];
            for (int i = random.Next(1, 12); i > 0; i--)
            {
                // The interesting bytes are headers, symbols and types; debug sections fill half of the file.
                int at = random.Next(3) == 0 ? damaged.Length - 1 - random.Next(2_000) : random.Next(damaged.Length);
                damaged[at] = random.Next(3) switch { 0 => 0xff, 1 => 0, _ => (byte)random.Next(256) };
            }

            AssertReadOrRefused(damaged);
        }
    }

    [Fact]
    public void AbsentPartsAreNamed()
    {
        Assert.Equal(
            "read xdp object: no section \"tc\" (the object is damaged)",
            Assert.Throws<BpfException>(() => ObjectSpec.Read(File, "tc")).Message);
        ObjectSpec spec = ObjectSpec.Read(File, "xdp");
        Assert.Contains("no map \"other\"", Assert.Throws<BpfException>(() => spec.Map("other")).Message, StringComparison.Ordinal);
        Assert.Contains("no constant \"other\"", Assert.Throws<BpfException>(() => spec.SetConstant("other", true)).Message, StringComparison.Ordinal);
    }

    private static void AssertReadOrRefused(byte[] file)
    {
        try
        {
            ObjectSpec spec = ObjectSpec.Read(file, "xdp");
            spec.Program.Link(_ => 3);
            spec.SetConstant("match_source", true);
        }
        catch (BpfException e)
        {
            Assert.StartsWith("read xdp object: ", e.Message, StringComparison.Ordinal);
        }
    }

    private static byte[] WithSectionSize(int index, int size)
    {
        byte[] file = [.. File];
        long table = BitConverter.ToInt64(file, 40);
        BitConverter.TryWriteBytes(file.AsSpan((int)table + (index * 64) + 32), (long)size);
        return file;
    }
}
