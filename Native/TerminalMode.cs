using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>
/// The line discipline of the terminal on standard input: without echo and line editing while it is entered. Signals of the keyboard
/// (Ctrl-C, Ctrl-Z) stay on. By ioctl with the kernel's struct termios (asm-generic/termbits.h), which no C library changes.
/// </summary>
internal sealed unsafe partial class TerminalMode : IDisposable
{
    private const int StandardInput = 0;
    private const nuint TCGETS = 0x5401, TCSETS = 0x5402;

    // Offsets and bits of struct termios: four words of flags, a byte, 19 control characters.
    private const int Size = 64, InputFlags = 0, LocalFlags = 3, Characters = 17;
    private const int VTIME = 5, VMIN = 6;
    private const uint INLCR = 0x40, ICRNL = 0x100, IXON = 0x400;
    private const uint ICANON = 0x2, ECHO = 0x8, IEXTEN = 0x8000;
    private const int SIGSTOP = 19;

    private readonly byte[] _original;
    private bool _isEntered;

    private TerminalMode(byte[] original) => _original = original;

    /// <summary>Null if standard input is not a terminal.</summary>
    public static TerminalMode? TryOpen()
    {
        byte[] original = new byte[Size];
        fixed (byte* state = original)
        {
            return ioctl(StandardInput, TCGETS, state) == 0 ? new TerminalMode(original) : null;
        }
    }

    /// <summary>Each key is readable as soon as it is pressed.</summary>
    public void Enter()
    {
        byte[] raw = [.. _original];
        fixed (byte* state = raw)
        {
            uint* flags = (uint*)state;
            flags[InputFlags] &= ~(INLCR | ICRNL | IXON);
            flags[LocalFlags] &= ~(ICANON | ECHO | IEXTEN);
            state[Characters + VMIN] = 1;
            state[Characters + VTIME] = 0;
            _isEntered = ioctl(StandardInput, TCSETS, state) == 0;
        }
    }

    /// <summary>As it was before. Does nothing the second time.</summary>
    public void Restore()
    {
        if (_isEntered)
        {
            _isEntered = false;
            fixed (byte* state = _original)
            {
                ioctl(StandardInput, TCSETS, state);
            }
        }
    }

    public void Dispose() => Restore();

    /// <summary>Stops this process until it is continued, as Ctrl-Z does.</summary>
    public static void StopProcess() => Libc.kill(Environment.ProcessId, SIGSTOP);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int fd, nuint request, void* argument);
}
