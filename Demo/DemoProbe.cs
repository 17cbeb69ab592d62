using System.Buffers.Binary;
using System.Diagnostics;
using Couic.Native;

namespace Couic.Demo;

/// <summary>Sends packets on the outer end of the pair and counts those that pass the filter on the inner end.</summary>
internal sealed class DemoProbe : IDisposable
{
    /// <summary>Repetitions per packet, so that a single packet that passes by chance shows.</summary>
    public const int Repeat = 10;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(50);
    private readonly RawSocket _inside;
    private readonly RawSocket _outside;
    private readonly byte[] _buffer = new byte[2048];
    private uint _serial;

    public DemoProbe(DemoNetwork network)
    {
        _inside = network.Inside.Run(() => new RawSocket(DemoNetwork.InnerInterface));
        _outside = network.Outside.Run(() => new RawSocket(DemoNetwork.OuterInterface));
    }

    /// <summary>The number of repetitions of each packet that arrived.</summary>
    public int[] Send(IReadOnlyList<DemoPacket> packets)
    {
        uint first = _serial;
        foreach (DemoPacket packet in packets)
        {
            byte[] frame = packet.Build();
            for (int i = 0; i < Repeat; i++)
            {
                Transmit(frame);
            }
        }

        uint marker = _serial;
        Transmit(DemoFrame.Marker());
        return Count(first, marker, packets.Count);
    }

    public void Dispose()
    {
        _inside.Dispose();
        _outside.Dispose();
    }

    private void Transmit(Span<byte> frame)
    {
        Span<byte> source = frame[DemoFrame.SourceOffset..];
        BinaryPrimitives.WriteUInt16BigEndian(source, 0x02c0); // locally administered
        BinaryPrimitives.WriteUInt32BigEndian(source[2..], _serial++);
        _outside.Send(frame);
    }

    private int[] Count(uint first, uint marker, int packets)
    {
        int[] arrived = new int[packets];
        bool markerSeen = false;
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < Patience)
        {
            // A frame may arrive through another CPU, so the marker is not always the last.
            if (!_inside.TryReceive(_buffer, markerSeen ? Grace : Patience, out int length))
            {
                if (markerSeen)
                {
                    return arrived;
                }

                continue;
            }

            if (TryReadSerial(_buffer.AsSpan(0, length), out uint serial) && serial >= first && serial <= marker)
            {
                if (serial == marker)
                {
                    markerSeen = true;
                }
                else
                {
                    arrived[(serial - first) / Repeat]++;
                }
            }
        }

        return markerSeen ? arrived : throw new IOException("send packets: one that no rule covers did not arrive (is this kernel's veth working?)");
    }

    private static bool TryReadSerial(ReadOnlySpan<byte> frame, out uint serial)
    {
        serial = 0;
        if (frame.Length < 14 || BinaryPrimitives.ReadUInt16BigEndian(frame[DemoFrame.SourceOffset..]) != 0x02c0)
        {
            return false;
        }

        serial = BinaryPrimitives.ReadUInt32BigEndian(frame[(DemoFrame.SourceOffset + 2)..]);
        return true;
    }
}
