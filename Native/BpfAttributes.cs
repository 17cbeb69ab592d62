using System.Runtime.InteropServices;

namespace Couic.Native;

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

/// <summary>The head of what BPF_OBJ_GET_INFO_BY_FD says of a map.</summary>
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

/// <summary>The head of what BPF_OBJ_GET_INFO_BY_FD says of a program.</summary>
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
