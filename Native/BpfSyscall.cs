using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>bpf(2). Every call is made here; callers see descriptors, spans and <see cref="Errno"/>.</summary>
internal static unsafe partial class BpfSyscall
{
    public const uint BPF_MAP_TYPE_ARRAY = 2;
    public const uint BPF_MAP_TYPE_PERCPU_ARRAY = 6;
    public const uint BPF_MAP_TYPE_LPM_TRIE = 11;
    public const uint BPF_F_NO_PREALLOC = 1;
    public const uint BPF_F_RDONLY_PROG = 1 << 7;
    public const uint BPF_F_MMAPABLE = 1 << 10;
    public const uint BPF_F_XDP_HAS_FRAGS = 1 << 5;
    public const uint BPF_PROG_TYPE_XDP = 6;
    public const uint BPF_XDP = 37;
    public const uint XDP_FLAGS_UPDATE_IF_NOEXIST = 1;
    public const uint XDP_FLAGS_SKB_MODE = 2;
    public const uint XDP_FLAGS_DRV_MODE = 4;
    public const uint XDP_FLAGS_HW_MODE = 8;

    private const int BPF_MAP_CREATE = 0;
    private const int BPF_MAP_LOOKUP_ELEM = 1;
    private const int BPF_MAP_UPDATE_ELEM = 2;
    private const int BPF_MAP_DELETE_ELEM = 3;
    private const int BPF_MAP_GET_NEXT_KEY = 4;
    private const int BPF_PROG_LOAD = 5;
    private const int BPF_PROG_TEST_RUN = 10;
    private const int BPF_PROG_GET_FD_BY_ID = 13;
    private const int BPF_OBJ_GET_INFO_BY_FD = 15;
    private const int BPF_BTF_LOAD = 18;
    private const int BPF_MAP_FREEZE = 22;
    private const int BPF_MAP_LOOKUP_BATCH = 24;
    private const int BPF_MAP_UPDATE_BATCH = 26;
    private const int BPF_MAP_DELETE_BATCH = 27;
    private const int BPF_LINK_CREATE = 28;

    /// <summary>Bytes of struct bpf_func_info.</summary>
    public const int FunctionInfoSize = 8;

    /// <summary>Bytes of struct bpf_line_info.</summary>
    public const int LineInfoSize = 16;

    private static readonly nint Number = RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => 321,
        Architecture.Arm64 => 280,
        var other => throw new PlatformNotSupportedException($"bpf(2) on {other}: unknown number"),
    };

    /// <summary>Reads an element. For a per-CPU map the value holds one element a possible CPU, each rounded up to 8 bytes.</summary>
    public static Errno Lookup(FileDescriptor map, ReadOnlySpan<byte> key, Span<byte> value)
    {
        fixed (byte* k = key, v = value)
        {
            var attr = new bpf_map_elem_attr { map_fd = (uint)map.Number, key = (ulong)k, value = (ulong)v };
            return Try(BPF_MAP_LOOKUP_ELEM, &attr, sizeof(bpf_map_elem_attr));
        }
    }

    /// <summary>Adds or replaces an element.</summary>
    public static Errno Update(FileDescriptor map, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        fixed (byte* k = key, v = value)
        {
            var attr = new bpf_map_elem_attr { map_fd = (uint)map.Number, key = (ulong)k, value = (ulong)v };
            return Try(BPF_MAP_UPDATE_ELEM, &attr, sizeof(bpf_map_elem_attr));
        }
    }

    public static Errno Delete(FileDescriptor map, ReadOnlySpan<byte> key)
    {
        fixed (byte* k = key)
        {
            var attr = new bpf_map_elem_attr { map_fd = (uint)map.Number, key = (ulong)k };
            return Try(BPF_MAP_DELETE_ELEM, &attr, sizeof(bpf_map_elem_attr));
        }
    }

    /// <summary>The key behind <paramref name="key"/>, or the first for an empty one; ENOENT behind the last.</summary>
    public static Errno NextKey(FileDescriptor map, ReadOnlySpan<byte> key, Span<byte> next)
    {
        fixed (byte* k = key, n = next)
        {
            var attr = new bpf_map_elem_attr { map_fd = (uint)map.Number, key = (ulong)k, value = (ulong)n };
            return Try(BPF_MAP_GET_NEXT_KEY, &attr, sizeof(bpf_map_elem_attr));
        }
    }

    /// <summary>
    /// Reads elements from the first on, or from where <paramref name="cursor"/> (4 bytes or a key's length) stands.
    /// ENOENT when they were the last ones; <paramref name="count"/> holds also then.
    /// </summary>
    public static Errno LookupBatch(FileDescriptor map, bool first, Span<byte> cursor, Span<byte> keys, Span<byte> values, ref uint count)
    {
        fixed (byte* c = cursor, k = keys, v = values)
        {
            var attr = new bpf_map_batch_attr
            {
                in_batch = first ? 0 : (ulong)c,
                out_batch = (ulong)c,
                keys = (ulong)k,
                values = (ulong)v,
                count = count,
                map_fd = (uint)map.Number,
            };
            Errno errno = Try(BPF_MAP_LOOKUP_BATCH, &attr, sizeof(bpf_map_batch_attr));
            count = errno == Errno.None || errno == Errno.ENOENT ? attr.count : 0;
            return errno;
        }
    }

    /// <summary>Adds or replaces elements together (tries: Linux 5.13). After an error some of them may be there.</summary>
    public static Errno UpdateBatch(FileDescriptor map, ReadOnlySpan<byte> keys, ReadOnlySpan<byte> values, int count)
    {
        fixed (byte* k = keys, v = values)
        {
            var attr = new bpf_map_batch_attr { keys = (ulong)k, values = (ulong)v, count = (uint)count, map_fd = (uint)map.Number };
            return Try(BPF_MAP_UPDATE_BATCH, &attr, sizeof(bpf_map_batch_attr));
        }
    }

    /// <summary>Removes elements together (tries: Linux 5.13). It ends at the first that is not there; those before it are gone.</summary>
    public static Errno DeleteBatch(FileDescriptor map, ReadOnlySpan<byte> keys, int count)
    {
        fixed (byte* k = keys)
        {
            var attr = new bpf_map_batch_attr { keys = (ulong)k, count = (uint)count, map_fd = (uint)map.Number };
            return Try(BPF_MAP_DELETE_BATCH, &attr, sizeof(bpf_map_batch_attr));
        }
    }

    /// <summary>Makes the map read-only for user space, so that the verifier may take its content for constants.</summary>
    public static Errno Freeze(FileDescriptor map)
    {
        var attr = new bpf_map_elem_attr { map_fd = (uint)map.Number };
        return Try(BPF_MAP_FREEZE, &attr, sizeof(uint));
    }

    /// <summary>Attaches a program to an interface for as long as the link is open (Linux 5.9).</summary>
    public static Errno LinkCreate(FileDescriptor program, int interfaceIndex, uint flags, out FileDescriptor link)
    {
        var attr = new bpf_link_create_attr
        {
            prog_fd = (uint)program.Number,
            target_ifindex = (uint)interfaceIndex,
            attach_type = BPF_XDP,
            flags = flags,
        };
        return TryOpen(BPF_LINK_CREATE, &attr, sizeof(bpf_link_create_attr), out link);
    }

    /// <summary>Runs an XDP program on a packet.</summary>
    /// <param name="verdict">What it returned.</param>
    /// <param name="nanoseconds">The mean time of one run.</param>
    public static Errno TestRun(FileDescriptor program, ReadOnlySpan<byte> packet, uint repeat, out uint verdict, out uint nanoseconds)
    {
        fixed (byte* p = packet)
        {
            var attr = new bpf_test_run_attr
            {
                prog_fd = (uint)program.Number,
                data_in = (ulong)p,
                data_size_in = (uint)packet.Length,
                repeat = repeat,
            };
            Errno errno = Try(BPF_PROG_TEST_RUN, &attr, sizeof(bpf_test_run_attr));
            verdict = attr.retval;
            nanoseconds = attr.duration;
            return errno;
        }
    }

    /// <summary>Lifts the limit of locked memory, which maps count against below Linux 5.11.</summary>
    public static void LiftMemoryLimit() =>
        _ = Libc.setrlimit(Libc.RLIMIT_MEMLOCK, new Libc.rlimit { rlim_cur = ulong.MaxValue, rlim_max = ulong.MaxValue });

    /// <summary>The limit of locked memory in bytes; null where there is none.</summary>
    public static ulong? LockedMemoryLimit() =>
        Libc.getrlimit(Libc.RLIMIT_MEMLOCK, out Libc.rlimit limit) == 0 && limit.rlim_cur != ulong.MaxValue ? limit.rlim_cur : null;

    private static Errno Try(int command, void* attr, int size) =>
        Call(command, attr, size) < 0 ? Libc.LastError : Errno.None;

    private static Errno TryOpen(int command, void* attr, int size, out FileDescriptor descriptor)
    {
        int number = Call(command, attr, size);
        Errno errno = number < 0 ? Libc.LastError : Errno.None;
        descriptor = new FileDescriptor(number);
        return errno;
    }

    private static int Call(int command, void* attr, int size)
    {
        // The verifier answers EAGAIN to a signal (up to 5 times in libbpf), everything else EINTR.
        for (int attempt = 0; ; attempt++)
        {
            int result = (int)Libc.syscall(Number, command, (nint)attr, size);
            if (result >= 0)
            {
                return result;
            }

            Errno errno = Libc.LastError;
            if (errno != Errno.EINTR && !(errno == Errno.EAGAIN && command == BPF_PROG_LOAD && attempt < 5))
            {
                return result;
            }
        }
    }
}
