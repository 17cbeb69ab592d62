using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Couic.CommandLine;
using Couic.Native;
using Couic.Store;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>
/// Reads addresses from the system's files. An absent file has none; an unreadable one is reported once per cause. Only regular files are
/// read, up to a limit. Not thread-safe, except <see cref="Unreadable"/>.
/// </summary>
/// <param name="log">Null logs nothing.</param>
/// <param name="root">A prefix of every path; empty except in tests.</param>
internal sealed partial class SystemFiles(ILogger? log = null, string root = "")
{
    /// <summary>Bytes read of one file; a longer one is reported.</summary>
    private const int MaxBytes = 1 << 20;

    /// <summary>Sessions that are read.</summary>
    private const int MaxSessions = 4096;

    /// <summary>Routes to an eighth of a family or more serve as default routes (0.0.0.0/1 with 128.0.0.0/1, 2000::/3).</summary>
    private const int MaxDefaultLength = 3;

    // struct utmp of glibc (bits/utmp.h): x86-64 keeps the session and the time in 32 bits, arm64 in 64.
    private const int UserProcess = 7;
    private static readonly bool IsArm64 = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
    private static readonly int UtmpSize = IsArm64 ? 400 : 384;
    private static readonly int UtmpAddressOffset = IsArm64 ? 360 : 348;

    private readonly SortedDictionary<string, string> _causes = new(StringComparer.Ordinal);
    private volatile KeyValuePair<string, string>[] _unreadable = [];

    /// <summary>The files that could not be read last time, with the cause. Thread-safe.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Unreadable => _unreadable;

    /// <summary>The source addresses of logged-in users: utmp(5), and logind's files. A mere connection is not a session.</summary>
    public List<Cidr> Sessions()
    {
        var hosts = new List<Cidr>();
        const string Utmp = "/run/utmp";
        Note(Utmp, Read(Utmp, follow: true, out byte[] records));
        for (int start = 0; start + UtmpSize <= records.Length; start += UtmpSize)
        {
            ReadOnlySpan<byte> record = records.AsSpan(start, UtmpSize);
            if (BinaryPrimitives.ReadInt16LittleEndian(record) == UserProcess && Address(record.Slice(UtmpAddressOffset, 16)) is { } host)
            {
                hosts.Add(host);
            }
        }

        AddLogindSessions(hosts);
        return hosts;
    }

    /// <summary>The next hops of the routes to everything, or to half of it (route tables of proc(5)).</summary>
    public List<Cidr> Gateways()
    {
        // Not /proc/net: the unit's ProcSubset=pid leaves only the folders of processes.
        const string V4 = "/proc/self/net/route", V6 = "/proc/self/net/ipv6_route";
        var hosts = new List<Cidr>();
        string? cause = Read(V4, follow: true, out byte[] routes);
        Note(V4, cause is null && routes.Length == 0 ? "no such file" : cause);
        foreach (string[] f in Fields(routes).Where(f => f.Length > 7))
        {
            if (TryHex(f[2], out uint gateway) && gateway != 0 && TryHex(f[7], out uint mask) && uint.PopCount(mask) <= MaxDefaultLength)
            {
                hosts.Add(Cidr.FromV4(BinaryPrimitives.ReverseEndianness(gateway)));
            }
        }

        // Absent where the kernel has no IPv6.
        Note(V6, Read(V6, follow: true, out routes));
        string none = new('0', 32);
        foreach (string[] f in Fields(routes).Where(f => f.Length > 4 && f[4].Length == 32 && f[4] != none))
        {
            if (TryHex(f[1], out uint length) && length <= MaxDefaultLength && f[4].All(char.IsAsciiHexDigit))
            {
                hosts.Add(Cidr.FromV6(Convert.FromHexString(f[4])));
            }
        }

        return [.. hosts.Distinct()];
    }

    /// <summary>The name servers of resolv.conf(5), except those on this machine.</summary>
    public List<Cidr> Resolvers()
    {
        const string Path = "/etc/resolv.conf";
        var hosts = new List<Cidr>();
        Note(Path, Read(Path, follow: true, out byte[] text)); // mostly a link into /run
        foreach (string[] f in Fields(text).Where(f => f.Length > 1 && f[0] == "nameserver"))
        {
            AddText(hosts, f[1]);
        }

        return hosts;
    }

    private void AddLogindSessions(List<Cidr> hosts)
    {
        const string Folder = "/run/systemd/sessions";
        string? cause = null;
        foreach (string name in List(Folder, ref cause))
        {
            // Beside each session's file is a pipe with the suffix ".ref", which must not be opened.
            if (Read($"{Folder}/{name}", follow: false, out byte[] text, onlyRegular: true) is { } fault)
            {
                cause ??= $"{name}: {fault}";
            }

            foreach (string line in Lines(text).Where(l => l.StartsWith("REMOTE_HOST=", StringComparison.Ordinal)))
            {
                AddText(hosts, line["REMOTE_HOST=".Length..].Trim('"'));
            }
        }

        Note(Folder, cause);
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

    /// <summary>Unmaps IPv4; null for an unspecified or loopback address.</summary>
    private static Cidr? Plain(Cidr host)
    {
        host = host.IsV4Mapped ? Cidr.FromV4((uint)host.Low) : host;
        bool isOwn = host.Family == IpFamily.V4 ? host.V4 >> 24 is 0 or 127 : host is { High: 0, Low: <= 1 };
        return isOwn ? null : host;
    }

    private static bool TryHex(string text, out uint value) =>
        uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);

    private static IEnumerable<string[]> Fields(byte[] text) =>
        Lines(text).Select(line => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static string[] Lines(byte[] text) => Encoding.UTF8.GetString(text).Split('\n', StringSplitOptions.TrimEntries);

    private List<string> List(string folder, ref string? cause)
    {
        var names = new List<string>();
        try
        {
            names.AddRange(Directory.EnumerateFiles(root + folder).Take(MaxSessions).Select(path => Path.GetFileName(path)));
        }
        catch (DirectoryNotFoundException)
        {
            // No logind here.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            cause = CommandLine.SystemErrors.Text(e);
        }

        return names;
    }

    /// <summary>Reads a file up to the limit. An absent file is empty.</summary>
    /// <param name="follow">Whether the name may be a link.</param>
    /// <param name="onlyRegular">Whether other kinds of files count as absent.</param>
    /// <returns>Null, or why it could not be read completely.</returns>
    private string? Read(string path, bool follow, out byte[] content, bool onlyRegular = false)
    {
        content = [];
        path = root + path;

        // Checked before it is opened: opening a device or a pipe can have side effects.
        Errno error = follow ? Files.TryStatTarget(path, out FileState state) : Files.TryStat(path, out state);
        if (error == Errno.None && state.Kind != FileKind.Regular)
        {
            return onlyRegular ? null : "is not a regular file";
        }

        SafeFileHandle? file = null;
        error = error != Errno.None ? error : follow ? Files.TryOpenTarget(path, out file) : Files.TryOpenRead(path, out file);
        using (file)
        {
            if (error == Errno.None)
            {
                error = Files.TryStat(file!, out state);
            }

            if (error == Errno.None && state.Kind != FileKind.Regular)
            {
                return "is not a regular file"; // exchanged in between
            }

            byte[] buffer = error == Errno.None ? new byte[Math.Clamp(state.Size + 1, 4096, MaxBytes + 1)] : [];
            int length = 0;
            while (error == Errno.None)
            {
                error = Files.TryRead(file!, buffer.AsSpan(length), out int count);
                length += count;
                if (error != Errno.None || length < buffer.Length || length > MaxBytes)
                {
                    break;
                }

                Array.Resize(ref buffer, Math.Min(buffer.Length * 2, MaxBytes + 1)); // files of /proc report no size
            }

            content = buffer.AsSpan(0, Math.Min(length, MaxBytes)).ToArray();
            return error is Errno.None or Errno.ENOENT
                ? (length > MaxBytes ? $"more than {MaxBytes} bytes; the rest is not read" : null)
                : error.Text();
        }
    }

    /// <summary>Records the outcome of reading a file, and logs a change.</summary>
    private void Note(string source, string? cause)
    {
        if (_causes.GetValueOrDefault(source) == cause)
        {
            return;
        }

        if (cause is null)
        {
            _causes.Remove(source);
        }
        else
        {
            _causes[source] = cause;
        }

        _unreadable = [.. _causes];
        if (log is null)
        {
            return;
        }

        if (cause is null)
        {
            SourceReadable(log, source);
        }
        else
        {
            SourceUnreadable(log, source, cause);
        }
    }

    [LoggerMessage(EventName = "guard_source_unreadable", Level = LogLevel.Warning,
        Message = "read \"{source}\": {cause} (the guard does not know the addresses it names)")]
    private static partial void SourceUnreadable(ILogger log, string source, string cause);

    [LoggerMessage(EventName = "guard_source_readable", Level = LogLevel.Information, Message = "read \"{source}\": it is readable again")]
    private static partial void SourceReadable(ILogger log, string source);
}
