using System.Text;

namespace Couic.Native;

// Making maps, BTF and programs, and asking what they are.
internal static unsafe partial class BpfSyscall
{
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

    /// <param name="log">The verifier's whole log; empty when it took the program.</param>
    public static Errno ProgramLoad(in ProgramRequest request, out FileDescriptor program, out string log)
    {
        log = "";
        Errno errno = ProgramLoad(request, default, out program);
        for (int size = 1 << 18; errno != Errno.None && errno != Errno.EPERM && size <= 1 << 24; size <<= 3)
        {
            // Only a refused program is loaded again with a log, which makes the verifier several times slower.
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

    /// <summary>What kind of map a descriptor stands for.</summary>
    public static Errno MapInfo(FileDescriptor map, out MapDescription description)
    {
        bpf_map_info info = default;
        Errno errno = Info(map, &info, sizeof(bpf_map_info));
        description = new MapDescription(info.name.ToString(), info.id, info.type, info.key_size, info.value_size, info.max_entries);
        return errno;
    }

    /// <summary>Name and id of the program that a descriptor stands for.</summary>
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

/// <summary>What the kernel says of a map. Sizes in bytes.</summary>
internal readonly record struct MapDescription(string Name, uint Id, uint Type, uint KeySize, uint ValueSize, uint MaxEntries);
