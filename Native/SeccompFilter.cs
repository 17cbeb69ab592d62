using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>
/// A seccomp filter (seccomp(2)): a classic BPF program that the kernel runs for each system call of every thread. A call that no rule
/// allows fails with an error, never with a signal: a refused call must not end a firewall.
/// </summary>
internal static unsafe class SeccompFilter
{
    public const uint Allow = 0x7fff_0000;

    private const uint Refuse = 0x0005_0000 | (uint)Errno.EPERM;
    private const uint Absent = 0x0005_0000 | (uint)Errno.ENOSYS;
    private const int SetModeFilter = 1;

    // TSYNC: every thread of the process. SPEC_ALLOW: before Linux 5.16 each thread would otherwise pay for speculation mitigations.
    private const int Flags = 1 | 4;
    private const int FlagLog = 2;

    // struct seccomp_data: number, architecture, instruction pointer, six arguments of 8 bytes.
    private const uint NumberOffset = 0;
    private const uint ArchitectureOffset = 4;
    private const uint ArgumentsOffset = 16;

    private const ushort Load = 0x20;
    private const ushort IfEqual = 0x15;
    private const ushort IfAtLeast = 0x35;
    private const ushort IfBits = 0x45;
    private const ushort Return = 0x06;

    /// <summary>
    /// EPERM for calls that no rule allows and for calls of another architecture; ENOSYS, as on an older kernel, for calls that are newer
    /// than <see cref="SystemCalls"/>, so that a C library that tries them uses its fallback.
    /// </summary>
    public static sock_filter[] Build(IEnumerable<SeccompRule> rules, Architecture architecture)
    {
        List<sock_filter> program = Start(architecture, Refuse);
        foreach (SeccompRule rule in rules)
        {
            if (SystemCalls.Number(rule.Call, architecture) is { } number)
            {
                List<sock_filter> body = Body(rule);
                program.Add(new sock_filter(IfEqual, 0, (byte)body.Count, (uint)number));
                program.AddRange(body);
            }
        }

        program.Add(new sock_filter(IfAtLeast, 0, 1, SystemCalls.FirstUnknown));
        program.Add(new sock_filter(Return, 0, 0, Absent));
        program.Add(new sock_filter(Return, 0, 0, Refuse));
        return [.. program];
    }

    /// <summary>A filter that makes one call fail as if the kernel lacked it, and allows all others.</summary>
    public static sock_filter[] BuildAbsent(string call, Architecture architecture)
    {
        List<sock_filter> program = Start(architecture, Allow);
        program.Add(new sock_filter(IfEqual, 0, 1, (uint)SystemCalls.Number(call, architecture)!.Value));
        program.Add(new sock_filter(Return, 0, 0, Absent));
        program.Add(new sock_filter(Return, 0, 0, Allow));
        return [.. program];
    }

    /// <summary>
    /// Installs a filter permanently for every thread and for programs executed later. Needs no-new-privs in every thread.
    /// With <paramref name="log"/> the kernel logs each refused call (audit, type 1326) at a bounded rate.
    /// </summary>
    /// <returns>EINVAL or ENOSYS where the kernel has no seccomp filters.</returns>
    public static Errno Install(ReadOnlySpan<sock_filter> program, bool log)
    {
        fixed (sock_filter* first = program)
        {
            var filter = new sock_fprog { len = (ushort)program.Length, filter = (ulong)first };
            int number = SystemCalls.Number("seccomp", RuntimeInformation.ProcessArchitecture)!.Value;
            nint result = Libc.syscall(number, SetModeFilter, log ? Flags | FlagLog : Flags, (nint)(&filter));

            // A positive result is the id of a thread that has another filter.
            return result == 0 ? Errno.None : result > 0 ? Errno.EBUSY : Libc.LastError;
        }
    }

    private static List<sock_filter> Start(Architecture architecture, uint other) =>
    [
        new(Load, 0, 0, ArchitectureOffset),
        new(IfEqual, 1, 0, AuditNumber(architecture)),
        new(Return, 0, 0, other),
        new(Load, 0, 0, NumberOffset),
    ];

    // Runs when the call's number is the rule's; it always returns.
    private static List<sock_filter> Body(SeccompRule rule)
    {
        if (rule.Test == SeccompTest.None)
        {
            return [new sock_filter(Return, 0, 0, Allow)];
        }

        List<sock_filter> body = [new(Load, 0, 0, ArgumentsOffset + (8 * (uint)rule.Argument))];
        for (int i = 0; i < rule.Values.Length; i++)
        {
            byte toEnd = (byte)(rule.Values.Length - i); // over the other values and the refusal
            body.Add(rule.Test switch
            {
                SeccompTest.OneOf => new sock_filter(IfEqual, toEnd, 0, rule.Values[i]),
                SeccompTest.With => new sock_filter(IfBits, toEnd, 0, rule.Values[i]),
                _ => new sock_filter(IfBits, 0, toEnd, rule.Values[i]),
            });
        }

        body.Add(new sock_filter(Return, 0, 0, Refuse));
        body.Add(new sock_filter(Return, 0, 0, Allow));
        return body;
    }

    // AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64 (linux/audit.h)
    private static uint AuditNumber(Architecture architecture) => architecture switch
    {
        Architecture.X64 => 0xc000_003e,
        Architecture.Arm64 => 0xc000_00b7,
        _ => throw new PlatformNotSupportedException($"seccomp on {architecture}: unknown architecture"),
    };
}

#pragma warning disable CS8981 // the kernel's spelling
/// <summary>An instruction of classic BPF (linux/filter.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct sock_filter(ushort code, byte jt, byte jf, uint k)
{
    public readonly ushort code = code;
    public readonly byte jt = jt;
    public readonly byte jf = jf;
    public readonly uint k = k;
}

/// <summary>A program of classic BPF; its length counts instructions.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct sock_fprog
{
    public ushort len;
    public ulong filter;
}
#pragma warning restore CS8981

/// <summary>
/// A system call that a <see cref="SeccompFilter"/> allows: always, or when the lower 32 bits of one argument pass a test (the kernel
/// reads no more of the arguments tested here).
/// </summary>
internal sealed record SeccompRule(string Call, SeccompTest Test, int Argument, uint[] Values)
{
    public static SeccompRule Always(string call) => new(call, SeccompTest.None, 0, []);

    /// <summary>Argument <paramref name="argument"/>, counted from 0, is one of the values.</summary>
    public static SeccompRule OneOf(string call, int argument, params uint[] values) => new(call, SeccompTest.OneOf, argument, values);

    /// <summary>The argument has at least one of the bits.</summary>
    public static SeccompRule With(string call, int argument, uint bits) => new(call, SeccompTest.With, argument, [bits]);

    /// <summary>The argument has none of the bits.</summary>
    public static SeccompRule Without(string call, int argument, uint bits) => new(call, SeccompTest.Without, argument, [bits]);
}

/// <summary>How a <see cref="SeccompRule"/> tests an argument.</summary>
internal enum SeccompTest
{
    None,
    OneOf,
    With,
    Without,
}
