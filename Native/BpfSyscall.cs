using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Couic.Native;

/// <summary>bpf(2). Callers pass descriptors and spans, and get an <see cref="Errno"/>.</summary>
internal static unsafe class BpfSyscall
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
    private const int BPF_OBJ_PIN = 6;
    private const int BPF_OBJ_GET = 7;
    private const int BPF_PROG_TEST_RUN = 10;
    private const int BPF_PROG_GET_FD_BY_ID = 13;
    private const int BPF_OBJ_GET_INFO_BY_FD = 15;
    private const int BPF_BTF_LOAD = 18;
    private const int BPF_MAP_FREEZE = 22;
    private const int BPF_MAP_LOOKUP_BATCH = 24;
    private const int BPF_MAP_UPDATE_BATCH = 26;
    private const int BPF_MAP_DELETE_BATCH = 27;
    private const int BPF_LINK_CREATE = 28;
    private const int BPF_LINK_UPDATE = 29;
    private const int BPF_LINK_GET_FD_BY_ID = 30;
    private const int BPF_LINK_GET_NEXT_ID = 31;
    private const int BPF_LINK_DETACH = 34;
    private const uint BPF_LINK_TYPE_XDP = 6;

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

    /// <summary>Reads an element. For a per-CPU map the value holds one element per possible CPU, each rounded up to 8 bytes.</summary>
    public static Errno Lookup(FileDescriptor map, ReadOnlySpan<byte> key, Span<byte> value) => Element(BPF_MAP_LOOKUP_ELEM, map, key, value);

    public static Errno Update(FileDescriptor map, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) => Element(BPF_MAP_UPDATE_ELEM, map, key, value);

    public static Errno Delete(FileDescriptor map, ReadOnlySpan<byte> key) => Element(BPF_MAP_DELETE_ELEM, map, key, default);

    /// <summary>The key after <paramref name="key"/>, or the first for an empty one; ENOENT after the last.</summary>
    public static Errno NextKey(FileDescriptor map, ReadOnlySpan<byte> key, Span<byte> next) => Element(BPF_MAP_GET_NEXT_KEY, map, key, next);

    /// <summary>
    /// Reads elements from the first one, or from the <paramref name="cursor"/> (4 bytes or a key's length).
    /// ENOENT when they were the last ones; <paramref name="count"/> is valid then too.
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

    /// <summary>Adds or replaces a batch of elements (tries: Linux 5.13). After an error some of them may have been added.</summary>
    public static Errno UpdateBatch(FileDescriptor map, ReadOnlySpan<byte> keys, ReadOnlySpan<byte> values, int count) =>
        Batch(BPF_MAP_UPDATE_BATCH, map, keys, values, count);

    /// <summary>Removes a batch of elements (tries: Linux 5.13). It stops at the first that is absent; those before it are removed.</summary>
    public static Errno DeleteBatch(FileDescriptor map, ReadOnlySpan<byte> keys, int count) => Batch(BPF_MAP_DELETE_BATCH, map, keys, default, count);

    /// <summary>Makes the map read-only for user space, so that the verifier treats its content as constants.</summary>
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

    /// <summary>Replaces the program of a link in one step: a packet meets the old program or the new one (Linux 5.9).</summary>
    public static Errno LinkUpdate(FileDescriptor link, FileDescriptor program)
    {
        var attr = new bpf_link_update_attr { link_fd = (uint)link.Number, new_prog_fd = (uint)program.Number };
        return Try(BPF_LINK_UPDATE, &attr, sizeof(bpf_link_update_attr));
    }

    /// <summary>Detaches a link, whichever processes hold it (Linux 5.9).</summary>
    public static Errno LinkDetach(FileDescriptor link)
    {
        uint attr = (uint)link.Number;
        return Try(BPF_LINK_DETACH, &attr, sizeof(uint));
    }

    /// <summary>Describes a link; EINVAL when the descriptor is not an XDP link.</summary>
    public static Errno LinkInfo(FileDescriptor link, out LinkDescription description)
    {
        bpf_link_info info = default;
        Errno errno = Info(link, &info, sizeof(bpf_link_info));
        description = new LinkDescription(info.id, info.prog_id, (int)info.xdp_ifindex);
        return errno == Errno.None && info.type != BPF_LINK_TYPE_XDP ? Errno.EINVAL : errno;
    }

    /// <summary>The smallest id of a link above <paramref name="id"/>; ENOENT after the last. Needs CAP_SYS_ADMIN.</summary>
    public static Errno LinkNextId(uint id, out uint next)
    {
        var attr = new bpf_get_id_attr { id = id };
        Errno errno = Try(BPF_LINK_GET_NEXT_ID, &attr, sizeof(bpf_get_id_attr));
        next = attr.next_id;
        return errno;
    }

    /// <summary>Opens the link of that id. Needs CAP_SYS_ADMIN.</summary>
    public static Errno LinkById(uint id, out FileDescriptor link)
    {
        var attr = new bpf_get_id_attr { id = id };
        return TryOpen(BPF_LINK_GET_FD_BY_ID, &attr, sizeof(bpf_get_id_attr), out link);
    }

    /// <summary>Gives an object a name on a BPF file system, which keeps it. EEXIST when the name is taken.</summary>
    /// <param name="path">Absolute, or below the current folder.</param>
    public static Errno Pin(FileDescriptor descriptor, string path)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            var attr = new bpf_obj_attr { pathname = (ulong)name, bpf_fd = (uint)descriptor.Number };
            return Try(BPF_OBJ_PIN, &attr, sizeof(bpf_obj_attr));
        }
    }

    /// <summary>Opens a pinned object.</summary>
    public static Errno OpenPinned(string path, out FileDescriptor descriptor)
    {
        fixed (byte* name = Encoding.UTF8.GetBytes(path + '\0'))
        {
            var attr = new bpf_obj_attr { pathname = (ulong)name };
            return TryOpen(BPF_OBJ_GET, &attr, sizeof(bpf_obj_attr), out descriptor);
        }
    }

    /// <summary>Runs an XDP program on a packet.</summary>
    /// <param name="verdict">The program's return value.</param>
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

    /// <summary>Lifts the limit of locked memory, which maps are charged to before Linux 5.11.</summary>
    public static void LiftMemoryLimit() =>
        _ = Libc.setrlimit(Libc.RLIMIT_MEMLOCK, new Libc.rlimit { rlim_cur = ulong.MaxValue, rlim_max = ulong.MaxValue });

    /// <summary>The limit of locked memory in bytes; null for unlimited.</summary>
    public static ulong? LockedMemoryLimit() =>
        Libc.getrlimit(Libc.RLIMIT_MEMLOCK, out Libc.rlimit limit) == 0 && limit.rlim_cur != ulong.MaxValue ? limit.rlim_cur : null;

    private static Errno Element(int command, FileDescriptor map, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        fixed (byte* k = key, v = value)
        {
            var attr = new bpf_map_elem_attr { map_fd = (uint)map.Number, key = (ulong)k, value = (ulong)v };
            return Try(command, &attr, sizeof(bpf_map_elem_attr));
        }
    }

    private static Errno Batch(int command, FileDescriptor map, ReadOnlySpan<byte> keys, ReadOnlySpan<byte> values, int count)
    {
        fixed (byte* k = keys, v = values)
        {
            var attr = new bpf_map_batch_attr { keys = (ulong)k, values = (ulong)v, count = (uint)count, map_fd = (uint)map.Number };
            return Try(command, &attr, sizeof(bpf_map_batch_attr));
        }
    }

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
        // A signal interrupts the verifier with EAGAIN (libbpf tries 5 times), every other command with EINTR.
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

    public static Errno MapCreate(in MapRequest request, out FileDescriptor map)
    {
        var attr = new bpf_map_create_attr
        {
            map_type = request.Type,
            key_size = request.KeySize,
            value_size = request.ValueSize,
            max_entries = request.MaxEntries,
            map_flags = request.Flags,
            map_name = bpf_obj_name.From(request.Name),
            btf_fd = request.Btf is null ? 0 : (uint)request.Btf.Number,
            btf_key_type_id = request.Btf is null ? 0 : request.BtfKeyType,
            btf_value_type_id = request.Btf is null ? 0 : request.BtfValueType,
        };
        return TryOpen(BPF_MAP_CREATE, &attr, sizeof(bpf_map_create_attr), out map);
    }

    public static Errno BtfLoad(ReadOnlySpan<byte> types, out FileDescriptor btf)
    {
        fixed (byte* t = types)
        {
            var attr = new bpf_btf_load_attr { btf = (ulong)t, btf_size = (uint)types.Length };
            return TryOpen(BPF_BTF_LOAD, &attr, sizeof(bpf_btf_load_attr), out btf);
        }
    }

    /// <param name="log">The verifier's whole log; empty when it accepted the program.</param>
    public static Errno ProgramLoad(in ProgramRequest request, out FileDescriptor program, out string log)
    {
        log = "";
        Errno errno = ProgramLoad(request, default, out program);
        for (int size = 1 << 18; errno != Errno.None && errno != Errno.EPERM && size <= 1 << 24; size <<= 3)
        {
            // Only a rejected program is loaded again with a log, which slows the verifier down several times.
            byte[] buffer = new byte[size];
            program.Dispose();
            errno = ProgramLoad(request, buffer, out program);
            log = Encoding.UTF8.GetString(buffer.AsSpan(0, Math.Max(0, buffer.AsSpan().IndexOf((byte)0))));
            if (errno != Errno.ENOSPC)
            {
                break;
            }
        }

        return errno;
    }

    public static Errno MapInfo(FileDescriptor map, out MapDescription description)
    {
        bpf_map_info info = default;
        Errno errno = Info(map, &info, sizeof(bpf_map_info));
        description = new MapDescription(info.name.ToString(), info.id, info.type, info.key_size, info.value_size, info.max_entries);
        return errno;
    }

    public static Errno ProgramInfo(FileDescriptor program, out string name, out uint id)
    {
        bpf_prog_info info = default;
        Errno errno = Info(program, &info, sizeof(bpf_prog_info));
        name = info.name.ToString();
        id = info.id;
        return errno;
    }

    public static Errno ProgramById(uint id, out FileDescriptor program)
    {
        var attr = new bpf_get_id_attr { id = id };
        return TryOpen(BPF_PROG_GET_FD_BY_ID, &attr, sizeof(bpf_get_id_attr), out program);
    }

    private static Errno Info(FileDescriptor descriptor, void* info, int size)
    {
        var attr = new bpf_info_attr { bpf_fd = (uint)descriptor.Number, info_len = (uint)size, info = (ulong)info };
        return Try(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(bpf_info_attr));
    }

    private static Errno ProgramLoad(in ProgramRequest request, Span<byte> log, out FileDescriptor program)
    {
        Span<byte> license = stackalloc byte[request.License.Length + 1];
        license.Clear();
        Encoding.ASCII.GetBytes(request.License, license);
        fixed (byte* insns = request.Instructions.Span, functions = request.Functions.Span, lines = request.Lines.Span, l = license, logBuffer = log)
        {
            var attr = new bpf_prog_load_attr
            {
                prog_type = BPF_PROG_TYPE_XDP,
                insns = (ulong)insns,
                insn_cnt = (uint)request.Instructions.Length / 8,
                license = (ulong)l,
                log_level = log.IsEmpty ? 0u : 1u,
                log_size = (uint)log.Length,
                log_buf = (ulong)logBuffer,
                prog_flags = request.Flags,
                prog_name = bpf_obj_name.From(request.Name),
                expected_attach_type = BPF_XDP,
            };
            if (request.Btf is not null)
            {
                attr.prog_btf_fd = (uint)request.Btf.Number;
                attr.func_info = (ulong)functions;
                attr.func_info_rec_size = FunctionInfoSize;
                attr.func_info_cnt = (uint)(request.Functions.Length / FunctionInfoSize);
                attr.line_info = (ulong)lines;
                attr.line_info_rec_size = LineInfoSize;
                attr.line_info_cnt = (uint)(request.Lines.Length / LineInfoSize);
            }

            return TryOpen(BPF_PROG_LOAD, &attr, sizeof(bpf_prog_load_attr), out program);
        }
    }
}

/// <param name="Btf">Types for bpftool's output; null for none.</param>
internal readonly record struct MapRequest(
    string Name, uint Type, uint KeySize, uint ValueSize, uint MaxEntries, uint Flags, FileDescriptor? Btf = null, uint BtfKeyType = 0, uint BtfValueType = 0);

/// <param name="Functions">Records of struct bpf_func_info; used when there is BTF.</param>
/// <param name="Lines">Records of struct bpf_line_info; used when there is BTF.</param>
/// <param name="Flags">BPF_F_* of a program.</param>
internal readonly record struct ProgramRequest(
    string Name, ReadOnlyMemory<byte> Instructions, string License, FileDescriptor? Btf, ReadOnlyMemory<byte> Functions, ReadOnlyMemory<byte> Lines, uint Flags = 0);

/// <summary>The kernel's properties of a map. Sizes in bytes.</summary>
internal readonly record struct MapDescription(string Name, uint Id, uint Type, uint KeySize, uint ValueSize, uint MaxEntries);

/// <summary>The kernel's properties of an XDP link.</summary>
/// <param name="Program">The id of its program.</param>
/// <param name="Interface">The index of its interface; 0 after it was detached, or when the interface is gone.</param>
internal readonly record struct LinkDescription(uint Id, uint Program, int Interface);

// The parts of union bpf_attr (linux/bpf.h) that the commands used here read, by their kernel names. A test compares sizes and
// offsets with compiled C. Pointers are 64 bits wide on every machine.

[StructLayout(LayoutKind.Sequential)]
internal struct bpf_map_create_attr
{
    public uint map_type;
    public uint key_size;
    public uint value_size;
    public uint max_entries;
    public uint map_flags;
    public uint inner_map_fd;
    public uint numa_node;
    public bpf_obj_name map_name;
    public uint map_ifindex;
    public uint btf_fd;
    public uint btf_key_type_id;
    public uint btf_value_type_id;
}

[StructLayout(LayoutKind.Sequential)]
internal struct bpf_map_elem_attr
{
    public uint map_fd;
    private readonly uint _pad;
    public ulong key;
    public ulong value;
    public ulong flags;
}

[StructLayout(LayoutKind.Sequential)]
internal struct bpf_map_batch_attr
{
    public ulong in_batch;
    public ulong out_batch;
    public ulong keys;
    public ulong values;
    public uint count;
    public uint map_fd;
    public ulong elem_flags;
    public ulong flags;
}

[StructLayout(LayoutKind.Sequential)]
internal struct bpf_prog_load_attr
{
    public uint prog_type;
    public uint insn_cnt;
    public ulong insns;
    public ulong license;
    public uint log_level;
    public uint log_size;
    public ulong log_buf;
    public uint kern_version;
    public uint prog_flags;
    public bpf_obj_name prog_name;
    public uint prog_ifindex;
    public uint expected_attach_type;
    public uint prog_btf_fd;
    public uint func_info_rec_size;
    public ulong func_info;
    public uint func_info_cnt;
    public uint line_info_rec_size;
    public ulong line_info;
    public uint line_info_cnt;
    public uint attach_btf_id;
}

[StructLayout(LayoutKind.Sequential)]
internal struct bpf_test_run_attr
{
    public uint prog_fd;
    public uint retval;
    public uint data_size_in;
    public uint data_size_out;
    public ulong data_in;
    public ulong data_out;
    public uint repeat;
    public uint duration;
}

[StructLayout(LayoutKind.Sequential)]
internal struct bpf_get_id_attr
{
    public uint id;
    public uint next_id;
    public uint open_flags;
}

[StructLayout(LayoutKind.Sequential)]
internal struct bpf_info_attr
{
    public uint bpf_fd;
    public uint info_len;
    public ulong info;
}

[StructLayout(LayoutKind.Sequential)]
internal struct bpf_btf_load_attr
{
    public ulong btf;
    public ulong btf_log_buf;
    public uint btf_size;
    public uint btf_log_size;
    public uint btf_log_level;
}

[StructLayout(LayoutKind.Sequential)]
internal struct bpf_link_create_attr
{
    public uint prog_fd;
    public uint target_ifindex;
    public uint attach_type;
    public uint flags;
}

[StructLayout(LayoutKind.Sequential)]
internal struct bpf_link_update_attr
{
    public uint link_fd;
    public uint new_prog_fd;
    public uint flags;
    public uint old_prog_fd;
}

[StructLayout(LayoutKind.Sequential)]
internal struct bpf_obj_attr
{
    public ulong pathname;
    public uint bpf_fd;
    public uint file_flags;
}

/// <summary>The fields of BPF_OBJ_GET_INFO_BY_FD for an XDP link; the union of the kinds of links is aligned to 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct bpf_link_info
{
    public uint type;
    public uint id;
    public uint prog_id;
    private readonly uint _pad;
    public uint xdp_ifindex;
    private readonly uint _rest;
}

/// <summary>The first fields of BPF_OBJ_GET_INFO_BY_FD for a map.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct bpf_map_info
{
    public uint type;
    public uint id;
    public uint key_size;
    public uint value_size;
    public uint max_entries;
    public uint map_flags;
    public bpf_obj_name name;
}

/// <summary>The first fields of BPF_OBJ_GET_INFO_BY_FD for a program.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct bpf_prog_info
{
    public uint type;
    public uint id;
    public ulong tag;
    public uint jited_prog_len;
    public uint xlated_prog_len;
    public ulong jited_prog_insns;
    public ulong xlated_prog_insns;
    public ulong load_time;
    public uint created_by_uid;
    public uint nr_map_ids;
    public ulong map_ids;
    public bpf_obj_name name;
}

/// <summary>The kernel's 16 bytes for the name of a map or program; the last is zero.</summary>
[InlineArray(Size)]
internal struct bpf_obj_name
{
    public const int Size = 16;

    private byte _first;

    /// <summary>The name cut to what the kernel keeps, with the characters replaced that it rejects, as in libbpf.</summary>
    public static bpf_obj_name From(string name)
    {
        bpf_obj_name result = default;
        for (int i = 0; i < Math.Min(name.Length, Size - 1); i++)
        {
            result[i] = char.IsAsciiLetterOrDigit(name[i]) || name[i] is '_' or '.' ? (byte)name[i] : (byte)'_';
        }

        return result;
    }

    public override readonly string ToString()
    {
        ReadOnlySpan<byte> bytes = this;
        int end = bytes.IndexOf((byte)0);
        return Encoding.ASCII.GetString(bytes[..(end < 0 ? Size : end)]);
    }
}
