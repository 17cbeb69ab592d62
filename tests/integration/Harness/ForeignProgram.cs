using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Couic.IntegrationTests.Harness;

/// <summary>An XDP program that is not ours and passes everything: as an object file, or loaded into the kernel.</summary>
internal sealed class ForeignProgram : IDisposable
{
    // bpf(2)
    private const int ProgLoad = 5, LinkCreate = 28, ProgTypeXdp = 6, AttachXdp = 37;

    private const string Source = """
        __attribute__((section("xdp"), used)) int foreign(void *context) { (void)context; return 2; }
        char terms[] __attribute__((section("license"), used)) = "GPL";
        """;

    private readonly int _program;
    private int _link = -1;

    public ForeignProgram()
    {
        // r0 = XDP_PASS; exit
        byte[] code = Pinned([0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0]);
        byte[] license = Pinned([.. "GPL\0"u8]);
        var attributes = new byte[48];
        BinaryPrimitives.WriteInt32LittleEndian(attributes, ProgTypeXdp);
        BinaryPrimitives.WriteInt32LittleEndian(attributes.AsSpan(4), code.Length / 8);
        BinaryPrimitives.WriteInt64LittleEndian(attributes.AsSpan(8), Marshal.UnsafeAddrOfPinnedArrayElement(code, 0));
        BinaryPrimitives.WriteInt64LittleEndian(attributes.AsSpan(16), Marshal.UnsafeAddrOfPinnedArrayElement(license, 0));
        _program = Libc.Check((int)Libc.bpf(ProgLoad, attributes), "load an XDP program");
    }

    /// <summary>Compiles it; returns the path of the object, whose section is <c>xdp</c>.</summary>
    public static string Compile(Scratch scratch)
    {
        string source = scratch.File("foreign.c", Source);
        string compiled = scratch["foreign.o"];
        Shell.Check(null, "clang", "-O2", "-target", "bpf", "-c", source, "-o", compiled);
        return compiled;
    }

    /// <summary>Attaches it by a link, which lasts until it is disposed. Returns 0 or the kernel's error.</summary>
    public int Link(string device, string mode)
    {
        var attributes = new byte[48];
        BinaryPrimitives.WriteInt32LittleEndian(attributes, _program);
        BinaryPrimitives.WriteUInt32LittleEndian(attributes.AsSpan(4), Libc.if_nametoindex(device));
        BinaryPrimitives.WriteInt32LittleEndian(attributes.AsSpan(8), AttachXdp);
        BinaryPrimitives.WriteInt32LittleEndian(attributes.AsSpan(12), mode == "native" ? 4 : 2);
        _link = (int)Libc.bpf(LinkCreate, attributes);
        return _link >= 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <summary>The descriptor of its link; -1 before <see cref="Link"/>.</summary>
    public int LinkDescriptor => _link;

    public void Dispose()
    {
        _ = Libc.close(_link);
        _ = Libc.close(_program);
    }

    private static byte[] Pinned(byte[] bytes)
    {
        byte[] pinned = GC.AllocateUninitializedArray<byte>(bytes.Length, pinned: true);
        bytes.CopyTo(pinned, 0);
        return pinned;
    }
}
