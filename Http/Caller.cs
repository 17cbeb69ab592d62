using System.Buffers.Binary;
using System.Globalization;
using System.Net;

namespace Couic.Http;

/// <summary>
/// Names a caller: a process of this machine, or an address of the network. Of IPv6 the /64 counts, since one host has all addresses of its
/// /64 (RFC 4291, 2.5.4).
/// </summary>
internal readonly record struct CallerId
{
    private const ulong ProcessMark = ulong.MaxValue; // a multicast prefix: no client connects from there
    private const ulong MappedMark = 0xffff_0000_0000; // ::ffff:0:0/96

    private readonly ulong _high;
    private readonly ulong _low;

    private CallerId(ulong high, ulong low) => (_high, _low) = (high, low);

    /// <param name="id">0: the process is unknown.</param>
    public static CallerId OfProcess(int id) => new(ProcessMark, (uint)id);

    public static CallerId Of(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int length);
        return length == 4 ? new CallerId(0, MappedMark | BinaryPrimitives.ReadUInt32BigEndian(bytes))
            : address.IsIPv4MappedToIPv6 ? new CallerId(0, MappedMark | BinaryPrimitives.ReadUInt32BigEndian(bytes[12..]))
            : new CallerId(BinaryPrimitives.ReadUInt64BigEndian(bytes), 0);
    }

    /// <summary><c>process 4711</c>, <c>192.0.2.7</c> or <c>2001:db8:1:2::/64</c>.</summary>
    public override string ToString()
    {
        if (_high == ProcessMark)
        {
            return string.Create(CultureInfo.InvariantCulture, $"process {_low}");
        }

        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        if (_high == 0 && _low != 0)
        {
            BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)_low);
            return new IPAddress(bytes[..4]).ToString();
        }

        BinaryPrimitives.WriteUInt64BigEndian(bytes, _high);
        return $"{new IPAddress(bytes)}/64";
    }
}

/// <summary>The connections of one caller, and a queue of those that are ready. For the event loop's thread.</summary>
internal sealed class Caller(CallerId id)
{
    private Connection? _first;
    private Connection? _last;

    public CallerId Id { get; } = id;

    /// <summary>Open connections, and handshakes that have not ended.</summary>
    public int Connections { get; set; }

    /// <summary>Handshakes that have not ended.</summary>
    public int Handshakes { get; set; }

    public bool HasReady => _first is not null;

    public void Enqueue(Connection connection)
    {
        if (_last is null)
        {
            _first = connection;
        }
        else
        {
            _last.NextReady = connection;
        }

        _last = connection;
    }

    public Connection Dequeue()
    {
        Connection connection = _first!;
        _first = connection.NextReady;
        _last = _first is null ? null : _last;
        connection.NextReady = null;
        return connection;
    }
}
