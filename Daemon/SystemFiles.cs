using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Couic.Store;

namespace Couic.Daemon;

/// <summary>
/// What the system's own files say of addresses. A file that is not there, or not as expected, says nothing.
/// </summary>
/// <param name="root">In front of every path; empty but in tests.</param>
internal sealed class SystemFiles(string root = "")
{
    // struct utmp of glibc (bits/utmp.h): x86-64 keeps the session and the time in 32 bits, arm64 in 64.
    private const int UserProcess = 7;
    private static readonly bool IsArm64 = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
    private static readonly int UtmpSize = IsArm64 ? 400 : 384;
    private static readonly int UtmpAddressOffset = IsArm64 ? 360 : 348;

    /// <summary>Where the users who are logged in come from: utmp(5), and logind's files. A mere connection is no session.</summary>
    public List<Cidr> Sessions()
    {
        var hosts = new List<Cidr>();
        byte[] utmp = Read("/run/utmp");
        for (int start = 0; start + UtmpSize <= utmp.Length; start += UtmpSize)
        {
            ReadOnlySpan<byte> record = utmp.AsSpan(start, UtmpSize);
            if (BinaryPrimitives.ReadInt16LittleEndian(record) == UserProcess && Address(record.Slice(UtmpAddressOffset, 16)) is { } host)
            {
                hosts.Add(host);
            }
        }

        foreach (string file in List("/run/systemd/sessions"))
        {
            foreach (string line in Lines(file).Where(l => l.StartsWith("REMOTE_HOST=", StringComparison.Ordinal)))
            {
                AddText(hosts, line["REMOTE_HOST=".Length..]);
            }
        }

        return hosts;
    }

    /// <summary>The next hops of the routes to everything (route tables of proc(5)).</summary>
    public List<Cidr> Gateways()
    {
        var hosts = new List<Cidr>();
        foreach (string[] f in Fields("/proc/net/route").Where(f => f.Length > 7 && f[1] == "00000000" && f[7] == "00000000" && f[2] != "00000000"))
        {
            if (uint.TryParse(f[2], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out uint gateway))
            {
                hosts.Add(Cidr.FromV4(BinaryPrimitives.ReverseEndianness(gateway)));
            }
        }

        string none = new('0', 32);
        foreach (string[] f in Fields("/proc/net/ipv6_route").Where(f => f.Length > 4 && f[0] == none && f[1] == "00" && f[4] != none && f[4].Length == 32))
        {
            hosts.Add(Cidr.FromV6(Convert.FromHexString(f[4])));
        }

        return hosts;
    }

    /// <summary>The name servers of resolv.conf(5), but for those on this machine.</summary>
    public List<Cidr> Resolvers()
    {
        var hosts = new List<Cidr>();
        foreach (string[] f in Fields("/etc/resolv.conf").Where(f => f.Length > 1 && f[0] == "nameserver"))
        {
            AddText(hosts, f[1]);
        }

        return hosts;
    }

    private static void AddText(List<Cidr> hosts, string text)
    {
        if (Cidr.TryParseAddress(Encoding.UTF8.GetBytes(text.Split('%')[0]), out Cidr host) && Plain(host) is { } plain)
        {
            hosts.Add(plain);
        }
    }

    /// <summary>The sixteen bytes of utmp: an IPv4 address is in the first four, with the rest zero.</summary>
    private static Cidr? Address(ReadOnlySpan<byte> bytes) => bytes[4..].ContainsAnyExcept((byte)0)
        ? Plain(Cidr.FromV6(bytes))
        : Plain(Cidr.FromV4(BinaryPrimitives.ReadUInt32BigEndian(bytes)));

    /// <summary>IPv4 where it is that; null for no address and for this machine's own.</summary>
    private static Cidr? Plain(Cidr host)
    {
        host = host.IsV4Mapped ? Cidr.FromV4((uint)host.Low) : host;
        bool isOwn = host.Family == IpFamily.V4 ? host.V4 >> 24 is 0 or 127 : host is { High: 0, Low: <= 1 };
        return isOwn ? null : host;
    }

    private IEnumerable<string[]> Fields(string path) =>
        Lines(root + path).Select(line => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static string[] Lines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private string[] List(string folder)
    {
        try
        {
            return Directory.GetFiles(root + folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private byte[] Read(string path)
    {
        try
        {
            return File.ReadAllBytes(root + path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
