using Couic.Native;

namespace Couic.Tests.Fuzz;

/// <summary>Datagrams of netlink: messages and attributes lie inside of each other and in their order; reading ends.</summary>
internal sealed class NetlinkTarget : FuzzTarget
{
    public override string Name => "netlink";

    public override int Rounds => 30_000;

    public override byte[][] Pieces { get; } =
    [
        [0x10, 0, 0, 0, 0x10, 0, 0, 0], [0x14, 0, 0, 0, 3, 0, 2, 0], [9, 0, 3, 0, (byte)'e', (byte)'t', (byte)'h', (byte)'0', 0, 0, 0, 0],
        [5, 0, 2, 0, 2, 0, 0, 0], [8, 0, 4, 0, 7, 1, 0, 0], [4, 0, 43, 0x80], [0, 0], [0xff, 0xff], [4, 0], [3, 0], [0xff, 0xff, 0xff, 0xff], [0, 0, 0, 0x80],
        [2, 0, 0, 1], [0, 1], [2, 0],
    ];

    public override string Check(byte[] input)
    {
        string outcome = "";
        Bounded(input, 20_000, 60, () => outcome = Read(input));
        return outcome;
    }

    private static string Read(byte[] input)
    {
        ReadOnlySpan<byte> rest = input;
        string outcome = "";
        int consumed = 0;
        while (true)
        {
            int before = rest.Length;
            if (!Netlink.TryReadMessage(ref rest, out NetlinkMessage message))
            {
                break;
            }

            Require(before - rest.Length >= Netlink.HeaderSize, "no step ahead");
            Require(message.Payload.SequenceEqual(input.AsSpan(consumed + Netlink.HeaderSize, message.Payload.Length)), "a payload from elsewhere");
            consumed = input.Length - rest.Length;
            bool isLink = Netlink.TryReadLink(message.Payload, out NetworkInterface link);
            Require(!isLink || (link.Name.Length <= message.Payload.Length && link.Index > 0), $"a link out of nothing: {link}");
            Errno error = Netlink.ReadError(message, out string text);
            Require(text.Length <= message.Payload.Length, "a text longer than the message");
            outcome = $"{isLink} {link.XdpAttached != 0} {link.XdpProgram != 0} {error == Errno.None} {text.Length > 0} {Attributes(message.Payload)} {outcome}";
        }

        return outcome.Length > 200 ? outcome[..200] : outcome;
    }

    private static int Attributes(ReadOnlySpan<byte> payload)
    {
        ReadOnlySpan<byte> list = payload.Length < Netlink.LinkHeaderSize ? payload : payload[Netlink.LinkHeaderSize..];
        int count = 0, before = list.Length;
        while (Netlink.TryReadAttribute(ref list, out _, out ReadOnlySpan<byte> value))
        {
            Require(list.Length < before && value.Length < before, "no step ahead");
            before = list.Length;
            count++;
        }

        return Math.Min(count, 4);
    }
}
