using System.Runtime.InteropServices;
using Couic.Native;
using Xunit;

namespace Couic.Tests.Bpf;

/// <summary>A thread for which the kernel maps no further piece of a table: it answers that it has no memory.</summary>
internal static unsafe class NoMappings
{
    private const int SetModeFilter = 1;
    private const uint SharedAndFixed = 0x11; // the flags of mmap(2) that a piece is mapped with, and nothing else
    private const uint FlagsOffset = 16 + (8 * 3); // struct seccomp_data: the fourth argument
    private const uint OutOfMemory = 0x0005_0000 | (uint)Errno.ENOMEM;
    private const uint Allow = 0x7fff_0000;

    public static void Run(Action act)
    {
        Exception? fault = null;
        var thread = new Thread(() =>
        {
            try
            {
                Install();
                act();
            }
            catch (Exception e)
            {
                fault = e;
            }
        });
        thread.Start();
        thread.Join();
        Assert.Null(fault);
    }

    /// <summary>For this thread alone, which <see cref="SeccompFilter.Install"/> does not do.</summary>
    private static void Install()
    {
        int map = SystemCalls.Number("mmap", RuntimeInformation.ProcessArchitecture)!.Value;
        sock_filter[] program =
        [
            new(0x20, 0, 0, 0), // load the number of the call
            new(0x15, 0, 3, (uint)map),
            new(0x20, 0, 0, FlagsOffset),
            new(0x15, 0, 1, SharedAndFixed),
            new(0x06, 0, 0, OutOfMemory),
            new(0x06, 0, 0, Allow),
        ];
        fixed (sock_filter* first = program)
        {
            var filter = new sock_fprog { len = (ushort)program.Length, filter = (ulong)first };
            int number = SystemCalls.Number("seccomp", RuntimeInformation.ProcessArchitecture)!.Value;
            Assert.Equal(0, Libc.syscall(number, SetModeFilter, 0, (nint)(&filter)));
        }
    }
}
