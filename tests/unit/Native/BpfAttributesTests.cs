using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Couic.Native;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Native;

public class BpfAttributesTests
{
    // The C expression for a member: union bpf_attr has anonymous structs, the larger ones under a name.
    private static readonly (Type Type, string Prefix)[] Structs =
    [
        (typeof(bpf_map_create_attr), "union bpf_attr, "),
        (typeof(bpf_map_elem_attr), "union bpf_attr, "),
        (typeof(bpf_map_batch_attr), "union bpf_attr, batch."),
        (typeof(bpf_prog_load_attr), "union bpf_attr, "),
        (typeof(bpf_test_run_attr), "union bpf_attr, test."),
        (typeof(bpf_get_id_attr), "union bpf_attr, "),
        (typeof(bpf_info_attr), "union bpf_attr, info."),
        (typeof(bpf_btf_load_attr), "union bpf_attr, "),
        (typeof(bpf_link_create_attr), "union bpf_attr, link_create."),
        (typeof(bpf_link_update_attr), "union bpf_attr, link_update."),
        (typeof(bpf_obj_attr), "union bpf_attr, "),
        (typeof(bpf_link_info), "struct bpf_link_info, "),
        (typeof(bpf_map_info), "struct bpf_map_info, "),
        (typeof(bpf_prog_info), "struct bpf_prog_info, "),
        (typeof(Libc.rlimit), "struct rlimit, "),
    ];

    [Fact]
    public void Structs_HaveTheOffsetsOfTheKernelsHeader()
    {
        (Type Type, string Field, string C)[] members = [.. Structs.SelectMany(s => PublicFields(s.Type).Select(f => (s.Type, f, CName(s.Type, s.Prefix, f))))];
        long[] offsets = CompiledC.Evaluate(["<stddef.h>", "<linux/bpf.h>", "<sys/resource.h>"], [.. members.Select(m => $"offsetof({m.C})")]);

        for (int i = 0; i < members.Length; i++)
        {
            Assert.Equal((members[i].C, offsets[i]), (members[i].C, (long)Marshal.OffsetOf(members[i].Type, members[i].Field)));
        }
    }

    [Fact]
    public void Structs_ForTheKernel_AreAllCompared()
    {
        IEnumerable<string> structs = typeof(BpfSyscall).Assembly.GetTypes()
            .Where(t => t.IsValueType && t.Name.StartsWith("bpf_", StringComparison.Ordinal) && t != typeof(bpf_obj_name))
            .Select(t => t.Name);

        Assert.Empty(structs.Except(Structs.Select(s => s.Type.Name)));
        Assert.Equal(16, Unsafe.SizeOf<bpf_obj_name>());
    }

    [Theory]
    [InlineData("couic_ipv4_drop", "couic_ipv4_drop")]
    [InlineData("couic_ipv4_ignore", "couic_ipv4_igno")]
    [InlineData("a-b c", "a_b_c")]
    [InlineData("", "")]
    public void Name_IsCutToWhatTheKernelKeeps(string name, string kept) => Assert.Equal(kept, bpf_obj_name.From(name).ToString());

    private static IEnumerable<string> PublicFields(Type type) => type.GetFields(BindingFlags.Public | BindingFlags.Instance).Select(f => f.Name);

    // Members that share their place with a differently named one of another command.
    private static string CName(Type type, string prefix, string field) =>
        type == typeof(bpf_get_id_attr) && field == "id" ? "union bpf_attr, prog_id" : prefix + field.Replace("xdp_", "xdp.", StringComparison.Ordinal);
}
