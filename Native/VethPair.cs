using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

/// <summary>Creates pairs of virtual Ethernet interfaces (veth(4)) through rtnetlink(7), in the calling thread's namespace.</summary>
internal static class VethPair
{
    private const uint IFF_UP = 1;

    /// <summary>Creates <paramref name="name"/> here and its peer in another namespace, with one queue each.</summary>
    /// <exception cref="IOException">The request fails, or the kernel lacks veth.</exception>
    public static void Create(string name, string peer, SafeFileHandle peerNamespace)
    {
        List<byte> message = BeginRequest(index: 0, flags: 0);
        AddText(message, Netlink.IFLA_IFNAME, name);
        AddQueues(message);
        int linkInfo = BeginNest(message, Netlink.IFLA_LINKINFO);
        AddText(message, Netlink.IFLA_INFO_KIND, "veth");
        int data = BeginNest(message, Netlink.IFLA_INFO_DATA);
        int peerNest = BeginNest(message, Netlink.VETH_INFO_PEER);
        AddLinkHeader(message, index: 0, flags: 0);
        AddText(message, Netlink.IFLA_IFNAME, peer);
        AddNumber(message, Netlink.IFLA_NET_NS_FD, (uint)peerNamespace.DangerousGetHandle());
        AddQueues(message);
        EndNest(message, peerNest);
        EndNest(message, data);
        EndNest(message, linkInfo);
        Execute(message, Netlink.NLM_F_CREATE | Netlink.NLM_F_EXCL, $"create veth pair \"{name}\" and \"{peer}\"");
    }

    /// <summary>Sets an interface of this namespace up.</summary>
    /// <exception cref="IOException">The interface does not exist, or the request fails.</exception>
    public static void SetUp(string name) =>
        Execute(BeginRequest(Libc.if_nametoindex(name), IFF_UP), 0, $"set \"{name}\" up");

    private static List<byte> BeginRequest(uint index, uint flags)
    {
        var message = new List<byte>(256);
        message.AddRange(stackalloc byte[Netlink.HeaderSize]);
        AddLinkHeader(message, index, flags);
        return message;
    }

    /// <summary>struct ifinfomsg: the interface, and the flags to set.</summary>
    private static void AddLinkHeader(List<byte> message, uint index, uint flags)
    {
        Span<byte> link = stackalloc byte[Netlink.LinkHeaderSize];
        link.Clear();
        MemoryMarshal.Write(link[4..], index);
        MemoryMarshal.Write(link[8..], flags);
        MemoryMarshal.Write(link[12..], flags);
        message.AddRange(link);
    }

    // A single queue keeps packets in order.
    private static void AddQueues(List<byte> message)
    {
        AddNumber(message, Netlink.IFLA_NUM_TX_QUEUES, 1);
        AddNumber(message, Netlink.IFLA_NUM_RX_QUEUES, 1);
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
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
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

    /// <summary>Writes the attribute's length, which does not include the padding to four bytes.</summary>
    private static void EndNest(List<byte> message, int start)
    {
        MemoryMarshal.Write(CollectionsMarshal.AsSpan(message)[start..], (ushort)(message.Count - start));
        while (message.Count % 4 != 0)
        {
            message.Add(0);
        }
    }

    private static void Execute(List<byte> message, int flags, string action)
    {
        string explanation = "";
        Errno errno = NetlinkSocket.TryOpen(out NetlinkSocket? socket);
        if (socket is not null)
        {
            using (socket)
            {
                errno = socket.Change(CollectionsMarshal.AsSpan(message), Netlink.RTM_NEWLINK, (ushort)flags, out explanation);
            }
        }

        if (errno != Errno.None)
        {
            throw new IOException($"{action}: {errno.Text()}{(explanation.Length == 0 ? "" : $" ({explanation})")}");
        }
    }
}
