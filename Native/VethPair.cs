using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

/// <summary>Makes pairs of virtual Ethernet interfaces (veth(4)) through rtnetlink(7), in the calling thread's namespace.</summary>
internal static partial class VethPair
{
    private const int AF_NETLINK = 16;
    private const int SOCK_RAW = 3;
    private const int SOCK_CLOEXEC = 0x80000;
    private const int NETLINK_ROUTE = 0;
    private const ushort NLMSG_ERROR = 2;
    private const ushort RTM_NEWLINK = 16;
    private const ushort NLM_F_REQUEST = 1;
    private const ushort NLM_F_ACK = 4;
    private const ushort NLM_F_EXCL = 0x200;
    private const ushort NLM_F_CREATE = 0x400;
    private const ushort IFLA_IFNAME = 3;
    private const ushort IFLA_LINKINFO = 18;
    private const ushort IFLA_NET_NS_FD = 28;
    private const ushort IFLA_NUM_TX_QUEUES = 31;
    private const ushort IFLA_NUM_RX_QUEUES = 32;
    private const ushort IFLA_INFO_KIND = 1;
    private const ushort IFLA_INFO_DATA = 2;
    private const ushort VETH_INFO_PEER = 1;
    private const uint IFF_UP = 1;

    /// <summary>struct nlmsghdr, behind which stands struct ifinfomsg.</summary>
    private const int HeaderBytes = 16;
    private const int LinkBytes = 16;

    /// <summary>Makes <paramref name="name"/> here and its peer in another namespace, with one queue each.</summary>
    /// <exception cref="IOException">The kernel refuses, or has no veth.</exception>
    public static void Create(string name, string peer, SafeFileHandle peerNamespace)
    {
        var message = new List<byte>(256);
        BeginRequest(message, NLM_F_CREATE | NLM_F_EXCL, index: 0, flags: 0);
        AddText(message, IFLA_IFNAME, name);
        AddQueues(message);
        int linkInfo = BeginNest(message, IFLA_LINKINFO);
        AddText(message, IFLA_INFO_KIND, "veth");
        int data = BeginNest(message, IFLA_INFO_DATA);
        int peerNest = BeginNest(message, VETH_INFO_PEER);
        AddLink(message, index: 0, flags: 0);
        AddText(message, IFLA_IFNAME, peer);
        AddNumber(message, IFLA_NET_NS_FD, (uint)peerNamespace.DangerousGetHandle());
        AddQueues(message);
        EndNest(message, peerNest);
        EndNest(message, data);
        EndNest(message, linkInfo);
        Execute(message, $"make veth pair \"{name}\" and \"{peer}\"");
    }

    /// <summary>Sets an interface of this namespace up.</summary>
    /// <exception cref="IOException">No such interface, or the kernel refuses.</exception>
    public static void SetUp(string name)
    {
        var message = new List<byte>(64);
        BeginRequest(message, 0, if_nametoindex(name), IFF_UP);
        Execute(message, $"set \"{name}\" up");
    }

    // One queue keeps packets in the order in which they were sent.
    private static void AddQueues(List<byte> message)
    {
        AddNumber(message, IFLA_NUM_TX_QUEUES, 1);
        AddNumber(message, IFLA_NUM_RX_QUEUES, 1);
    }

    private static void BeginRequest(List<byte> message, int extraFlags, uint index, uint flags)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        header.Clear();
        MemoryMarshal.Write(header[4..], RTM_NEWLINK);
        MemoryMarshal.Write(header[6..], (ushort)(NLM_F_REQUEST | NLM_F_ACK | extraFlags));
        message.AddRange(header);
        AddLink(message, index, flags);
    }

    /// <summary>struct ifinfomsg: which interface, and of its flags those to change.</summary>
    private static void AddLink(List<byte> message, uint index, uint flags)
    {
        Span<byte> link = stackalloc byte[LinkBytes];
        link.Clear();
        MemoryMarshal.Write(link[4..], index);
        MemoryMarshal.Write(link[8..], flags);
        MemoryMarshal.Write(link[12..], flags);
        message.AddRange(link);
    }

    private static void AddText(List<byte> message, ushort type, string text)
    {
        int start = BeginNest(message, type);
        message.AddRange(Encoding.UTF8.GetBytes(text));
        message.Add(0);
        EndNest(message, start);
    }

    private static void AddNumber(List<byte> message, ushort type, uint number)
    {
        int start = BeginNest(message, type);
        Span<byte> bytes = stackalloc byte[4];
        MemoryMarshal.Write(bytes, number);
        message.AddRange(bytes);
        EndNest(message, start);
    }

    private static int BeginNest(List<byte> message, ushort type)
    {
        int start = message.Count;
        Span<byte> header = stackalloc byte[4];
        header.Clear();
        MemoryMarshal.Write(header[2..], type);
        message.AddRange(header);
        return start;
    }

    /// <summary>Writes the attribute's length, which does not count the padding behind it to four bytes.</summary>
    private static void EndNest(List<byte> message, int start)
    {
        MemoryMarshal.Write(CollectionsMarshal.AsSpan(message)[start..], (ushort)(message.Count - start));
        while (message.Count % 4 != 0)
        {
            message.Add(0);
        }
    }

    private static unsafe void Execute(List<byte> message, string action)
    {
        Span<byte> request = CollectionsMarshal.AsSpan(message);
        MemoryMarshal.Write(request, request.Length);
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
        using var handle = new SafeFileHandle(fd, ownsHandle: true);
        Span<byte> answer = stackalloc byte[4096];
        nint length = -1;
        if (fd >= 0)
        {
            fixed (byte* output = request, input = answer)
            {
                length = send(handle, output, (nuint)request.Length, 0) < 0 ? -1 : recv(handle, input, (nuint)answer.Length, 0);
            }
        }

        int errno = length < 0 ? Marshal.GetLastPInvokeError() : ReadError(answer[..(int)length]);
        if (errno != 0)
        {
            throw new IOException($"{action}: {Marshal.GetPInvokeErrorMessage(errno)}");
        }
    }

    /// <summary>The error number of an acknowledgement (NLMSG_ERROR), which is negative on the wire and 0 for success.</summary>
    private static int ReadError(ReadOnlySpan<byte> answer)
    {
        const int EPROTO = 71;
        return answer.Length < HeaderBytes + 4 || MemoryMarshal.Read<ushort>(answer[4..]) != NLMSG_ERROR
            ? EPROTO
            : -MemoryMarshal.Read<int>(answer[HeaderBytes..]);
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial uint if_nametoindex(string name);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial nint send(SafeFileHandle socket, byte* buffer, nuint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial nint recv(SafeFileHandle socket, byte* buffer, nuint length, int flags);
}
