using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Couic.IntegrationTests.Harness;

/// <summary>
/// The seccomp filters that the kernel holds for a process, read through ptrace(2), and what they answer. Needs root and a kernel
/// with CONFIG_CHECKPOINT_RESTORE.
/// </summary>
internal sealed partial class SeccompFilters
{
    private const int PTRACE_DETACH = 17;
    private const int PTRACE_SEIZE = 0x4206;
    private const int PTRACE_INTERRUPT = 0x4207;
    private const int PTRACE_SECCOMP_GET_FILTER = 0x420c;

    private readonly List<Instruction[]> _filters = [];

    /// <summary>One thread traces: ptrace belongs to the thread that attached.</summary>
    public static SeccompFilters Of(int process)
    {
        SeccompFilters filters = new();
        Exception? fault = null;
        Thread tracer = new(() =>
        {
            try
            {
                filters.Read(process);
            }
            catch (Win32Exception e)
            {
                fault = e;
            }
        });
        tracer.Start();
        tracer.Join();
        return fault is null ? filters : throw fault;
    }

    public int Count => _filters.Count;

    /// <summary>0 where all of them let the call through, else the error that the process gets.</summary>
    public int Answer(int number, uint architecture, params ulong[] arguments)
    {
        byte[] data = new byte[64];
        BitConverter.TryWriteBytes(data, number);
        BitConverter.TryWriteBytes(data.AsSpan(4), architecture);
        for (int i = 0; i < arguments.Length; i++)
        {
            BitConverter.TryWriteBytes(data.AsSpan(16 + (8 * i)), arguments[i]);
        }

        // The kernel takes the strictest answer: the lowest action.
        uint answer = _filters.Min(filter => Run(filter, data));
        return answer == 0x7fff_0000 ? 0 : answer >> 16 == 5 ? (int)(answer & 0xffff) : -1;
    }

    private static uint Run(Instruction[] program, byte[] data)
    {
        uint accumulator = 0;
        for (int i = 0; ; i++)
        {
            Instruction at = program[i];
            switch (at.Code)
            {
                case 0x20:
                    accumulator = BitConverter.ToUInt32(data, (int)at.K);
                    break;
                case 0x15:
                    i += accumulator == at.K ? at.IfTrue : at.IfFalse;
                    break;
                case 0x35:
                    i += accumulator >= at.K ? at.IfTrue : at.IfFalse;
                    break;
                case 0x45:
                    i += (accumulator & at.K) != 0 ? at.IfTrue : at.IfFalse;
                    break;
                case 0x06:
                    return at.K;
                default:
                    throw new InvalidOperationException($"an instruction that this test does not know: {at.Code:x}");
            }
        }
    }

    private void Read(int process)
    {
        Check(ptrace(PTRACE_SEIZE, process, 0, null), "PTRACE_SEIZE");
        try
        {
            Check(ptrace(PTRACE_INTERRUPT, process, 0, null), "PTRACE_INTERRUPT");
            // Not waitpid: the runtime looks after its children too, and whoever asks first gets the news.
            Eventually.Holds(() => File.ReadAllText($"/proc/{process}/stat").Contains(") t ", StringComparison.Ordinal), $"process {process} stops");
            for (int i = 0; ; i++)
            {
                nint length = ptrace(PTRACE_SECCOMP_GET_FILTER, process, i, null);
                if (length < 0 && Marshal.GetLastPInvokeError() == 2)
                {
                    break; // ENOENT: the one before was the last
                }

                Instruction[] program = new Instruction[(int)Check(length, "PTRACE_SECCOMP_GET_FILTER")];
                Check(ptrace(PTRACE_SECCOMP_GET_FILTER, process, i, program), "PTRACE_SECCOMP_GET_FILTER");
                _filters.Add(program);
            }
        }
        finally
        {
            _ = ptrace(PTRACE_DETACH, process, 0, null);
        }
    }

    private static nint Check(nint result, string action) =>
        result >= 0 ? result : throw new Win32Exception(Marshal.GetLastPInvokeError(), action);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint ptrace(long request, int process, nint address, Instruction[]? data);

    [StructLayout(LayoutKind.Sequential)]
    private struct Instruction
    {
        public ushort Code;
        public byte IfTrue;
        public byte IfFalse;
        public uint K;
    }
}
