using System.Buffers.Binary;
using System.Diagnostics;

namespace Couic.IntegrationTests.Harness;

/// <summary>
/// Sends frames into an interface and reports which of them passed its filter. Each frame has a unique hardware source address, so that
/// even frames of 14 bytes differ; each batch ends with a frame that no rule can match.
/// </summary>
public sealed class Probe : IDisposable
{
    /// <summary>A veth device has room for 256 frames in native mode, and loses further ones until they are taken.</summary>
    private const int Together = 128;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly PacketSocket _in;
    private readonly PacketSocket _out;
    private readonly byte[] _buffer = new byte[65536];
    private uint _serial;

    public Probe(NetSpace inside, string device, NetSpace outside, string outerDevice)
    {
        _in = inside.Do(() => new PacketSocket(device));
        _out = outside.Do(() => new PacketSocket(outerDevice));
    }

    /// <summary>True where the frame of that index passed the filter.</summary>
    public bool[] Send(params IReadOnlyList<byte[]> frames)
    {
        bool[] arrived = new bool[frames.Count];
        int start = 0;
        do
        {
            int end = Math.Min(frames.Count, start + Together);
            SendSome(frames, start, end, arrived.AsSpan(start, end - start));
            start = end;
        }
        while (start < frames.Count);
        return arrived;
    }

    /// <summary>As <see cref="Glance"/>, and reports which frames of the batch arrived.</summary>
    public void Glance(IReadOnlyList<byte[]> frames, Span<bool> arrived)
    {
        arrived.Clear();
        SendSome(frames, 0, frames.Count, arrived[..frames.Count], quiet: 0);
    }

    /// <summary>
    /// As <see cref="Send"/> for one batch, but returns with the last frame and not after a silence: for as many looks in a second as possible.
    /// Returns how many arrived.
    /// </summary>
    public int Glance(IReadOnlyList<byte[]> frames)
    {
        Span<bool> arrived = stackalloc bool[Together];
        SendSome(frames, 0, frames.Count, arrived[..frames.Count], quiet: 0);
        return arrived.Count(true);
    }

    private void SendSome(IReadOnlyList<byte[]> frames, int start, int end, Span<bool> arrived, int quiet = 15)
    {
        uint first = _serial;
        uint last;
        using (new OneCpu())
        {
            for (int i = start; i < end; i++)
            {
                Transmit(frames[i]);
            }

            last = _serial;
            Transmit(Frame.Ethernet(Frame.LocalExperiment, new byte[46]));
        }

        Collect(first, last, arrived, quiet);
    }

    /// <summary>Whether a UDP packet from this source gets through.</summary>
    public bool Passes(string source) => Send(Frame.UdpFrom(source))[0];

    public bool[] Passes(IEnumerable<string> sources) => Send([.. sources.Select(s => Frame.UdpFrom(s))]);

    public void Dispose()
    {
        _in.Dispose();
        _out.Dispose();
    }

    private void Transmit(byte[] frame)
    {
        Span<byte> source = frame.AsSpan(6, 6);
        source[0] = 0x02;
        source[1] = 0xc0;
        BinaryPrimitives.WriteUInt32BigEndian(source[2..], _serial++);
        _out.Send(frame);
    }

    /// <param name="quiet">Milliseconds without a frame after the last one.</param>
    private void Collect(uint first, uint last, Span<bool> arrived, int quiet)
    {
        long start = Stopwatch.GetTimestamp();
        bool seenLast = false;
        while (true)
        {
            // Sent on one CPU they arrive in order; what follows the last frame is the kernel's own traffic.
            int length = _in.Receive(_buffer, seenLast ? TimeSpan.FromMilliseconds(quiet) : TimeSpan.FromMilliseconds(100));
            if (length >= 14 && _buffer[6] == 0x02 && _buffer[7] == 0xc0)
            {
                uint serial = BinaryPrimitives.ReadUInt32BigEndian(_buffer.AsSpan(8));
                seenLast |= serial == last;
                if (serial >= first && serial < last)
                {
                    arrived[(int)(serial - first)] = true;
                }
            }
            else if (length < 0 && seenLast)
            {
                return;
            }

            if (Stopwatch.GetElapsedTime(start) > Patience && !seenLast)
            {
                throw new InvalidOperationException("probe: the frame after the batch, which no rule covers, did not arrive");
            }
        }
    }
}
