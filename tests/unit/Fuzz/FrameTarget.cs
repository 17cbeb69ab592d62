using System.Net;
using Couic.Native;
using Couic.Store;
using Couic.Tests.Bpf;

namespace Couic.Tests.Fuzz;

/// <summary>Frames through the XDP program in the kernel: each variant gives the verdict of a second, simple reading.</summary>
internal sealed class FrameTarget : FuzzTarget, IDisposable
{
    private readonly PlaneFixture _plane = new();

    public FrameTarget()
    {
        _plane.Put(Policy.Drop, "128.0.0.0/1", slot: 0);
        _plane.Put(Policy.Drop, "::/0", slot: 0);
        _plane.Put(Policy.Ignore, "192.0.2.0/24", slot: 0);
        _plane.Put(Policy.Ignore, "2001:db8:1::/48", slot: 0);
    }

    public override string Name => "frame";

    public override int Rounds => 30_000;

    public override int MaxBytes => 400;

    public override byte[][] Pieces { get; } =
    [
        [0x81, 0, 0, 0], [0x88, 0xa8, 0, 0], [0x81, 0, 0, 0, 0x81, 0, 0, 0], [0x88, 0x64], [0x08, 0], [0x86, 0xdd], [0x91, 0, 0, 0],
        [0x11, 0, 0, 1, 0, 40, 0, 0x21], [0x11, 0, 0, 1, 0, 60, 0, 0x57], [0x11, 0, 0, 1, 0, 40, 0x21], [0x11, 0, 0, 1, 0, 60, 0x57],
        [0x45], [0x46], [0x60, 0, 0, 0], [0, 24, 58, 255], [0, 32, 0, 1], [0, 32, 0, 255], [0, 20, 17, 64], [0xfe, 0x80], [0xff, 2], [58, 0, 5, 2, 0, 0, 1, 0], [58, 0, 1, 4, 0, 0, 0, 0],
        [60, 0, 1, 4, 0, 0, 0, 0], [58, 1, 1, 12], [44], [135, 0], [143, 0], [130, 0], [2, 0x23, 2, 0x22], [2, 0x22, 2, 0x23], new byte[16], [198, 51, 100, 7], [192, 0, 2, 7],
    ];

    public override IEnumerable<byte[]> Seeds => LinkPackets.All.Select(p => Packets.Ethernet(0x86dd, p.Packet)).Concat(
    [
        Packets.Tagged(0x0800, Packets.V4("198.51.100.7"), [.. Enumerable.Repeat((ushort)0x8100, 8)]),
        Packets.Tagged(0x8864, Packets.PppoeSession(0x21, Packets.V4("198.51.100.7"), compressed: true), 0x88a8, 0x8100),
        Packets.Ethernet(0x8864, Packets.PppoeSession(0x57, Packets.V6("2001:db8::7"))),
        Packets.V4("198.51.100.7"),
    ]);

    public override string Check(byte[] input)
    {
        if (input.Length < 14)
        {
            return "short"; // the kernel's test run wants as much
        }

        bool dropped = ReferenceFilter.OfFrame(input, IsDropped);
        ulong malformed = _plane.Plane.ReadMalformed().Packets;
        ulong deep = _plane.Plane.ReadTooManyTags().Packets;
        Compare("Ethernet", _plane.Programs.Ethernet, input, dropped);
        malformed = _plane.Plane.ReadMalformed().Packets - malformed;
        deep = _plane.Plane.ReadTooManyTags().Packets - deep;
        Require(malformed + deep <= 1 && (deep == 0 || dropped) && (malformed == 0 || !dropped), $"dropped {dropped}, malformed {malformed}, too many tags {deep}");
        Compare("fragments", _plane.Programs.Fragments!, input, dropped);
        bool droppedAsIp = ReferenceFilter.OfPacket(input, IsDropped);
        Compare("IP", _plane.Programs.Ip, input, droppedAsIp);
        return $"{input[12]:x2}{input[13]:x2} {input[0] >> 4:x} {dropped} {droppedAsIp} {malformed} {deep}";
    }

    public void Dispose() => _plane.Dispose();

    private static void Compare(string variant, FileDescriptor program, byte[] input, bool dropped)
    {
        bool got = PlaneFixture.Run(program, input) == PlaneFixture.Drop;
        Require(got == dropped, $"the variant for {variant} {(got ? "drops" : "passes")}: {Convert.ToHexString(input)}");
    }

    private static bool IsDropped(IPAddress source)
    {
        ReadOnlySpan<byte> bytes = source.GetAddressBytes();
        return bytes.Length == 4 ? bytes[0] >= 128 && bytes is not [192, 0, 2, _] : bytes is not [0x20, 0x01, 0x0d, 0xb8, 0, 1, ..];
    }
}
