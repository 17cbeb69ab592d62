using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Couic.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace Couic.IntegrationTests.Harness;

/// <summary>
/// A program whose controlling terminal is a pseudo-terminal (pty(7)), and what its screen shows. A descriptor of the program's side stays
/// open, so that the terminal keeps its mode after the program's end.
/// </summary>
public sealed class PseudoTerminal : IDisposable
{
    private const int ReadWrite = 2, NoControl = 0x100, CloseOnExec = 0x80000;
    private const nuint TIOCSPTLCK = 0x40045431, TIOCGPTN = 0x80045430, TIOCSWINSZ = 0x5414;

    private readonly SafeFileHandle _master;
    private readonly SafeFileHandle _slave;
    private readonly VirtualTerminal _screen;
    private readonly string _path;
    private Exception? _fault;

    /// <summary>Starts a program, as the leader of a session.</summary>
    public PseudoTerminal(int columns, int rows, ProcessStartInfo program)
    {
        _master = Open("/dev/ptmx");
        Libc.Check(Libc.ioctl(Number(_master), TIOCSPTLCK, new byte[4]), "unlock the pseudo-terminal");
        byte[] number = new byte[4];
        Libc.Check(Libc.ioctl(Number(_master), TIOCGPTN, number), "number of the pseudo-terminal");
        _path = $"/dev/pts/{BinaryPrimitives.ReadInt32LittleEndian(number).ToString(CultureInfo.InvariantCulture)}";
        _slave = Open(_path);
        _screen = new VirtualTerminal(columns, rows);
        Resize(columns, rows);
        Mode = ReadMode();

        var start = new ProcessStartInfo("sh", ["-c", "exec setsid --ctty \"$@\" <\"$0\" >\"$0\" 2>&1", _path, program.FileName, .. program.ArgumentList]);
        start.Environment["TERM"] = "xterm-256color";
        start.Environment["LC_ALL"] = "C.UTF-8";
        start.Environment.Remove("NO_COLOR");
        Process = Shell.Start(null, start);
        new Thread(ReadAll) { IsBackground = true }.Start();
    }

    public Process Process { get; }

    /// <summary>The mode before the program was started, as stty(1) saves it.</summary>
    public string Mode { get; }

    public string[] Lines => Ask(screen => screen.Lines);

    public string Text => string.Join('\n', Lines);

    public bool IsAlternate => Ask(screen => screen.IsAlternate);

    public bool HidesCursor => Ask(screen => screen.HidesCursor);

    public bool IsStopped => File.ReadAllText($"/proc/{Process.Id}/stat").Split(')')[^1].TrimStart()[0] == 'T';

    public string ReadMode() => Shell.Check(null, "stty", "-g", "-F", _path).Trim();

    public void Press(string keys) => Libc.Check((int)Libc.write(Number(_master), Encoding.UTF8.GetBytes(keys), Encoding.UTF8.GetByteCount(keys)), "press keys");

    /// <summary>The kernel tells the program by SIGWINCH.</summary>
    public void Resize(int columns, int rows)
    {
        byte[] size = new byte[8];
        BinaryPrimitives.WriteUInt16LittleEndian(size, (ushort)rows);
        BinaryPrimitives.WriteUInt16LittleEndian(size.AsSpan(2), (ushort)columns);
        lock (_screen)
        {
            _screen.Resize(columns, rows);
            Libc.Check(Libc.ioctl(Number(_master), TIOCSWINSZ, size), "resize the terminal");
        }
    }

    public void Shows(string text) => Eventually.Holds(() => Text.Contains(text, StringComparison.Ordinal), $"the screen shows \"{text}\"; it shows:\n{Text}");

    /// <summary>The exit status; the terminal is as it was before.</summary>
    public int End()
    {
        Eventually.Holds(() => Process.HasExited, $"the program ends; the screen shows:\n{Text}");
        Eventually.Holds(() => !IsAlternate && !HidesCursor, "screen and cursor are restored");
        if (ReadMode() is var mode && mode != Mode)
        {
            throw new InvalidOperationException($"the mode of the terminal was {Mode} and is {mode}");
        }

        return Process.ExitCode;
    }

    /// <summary>The window is closed: the program gets SIGHUP, and errors from its terminal.</summary>
    public void Close()
    {
        _slave.Dispose();
        _master.Dispose();
    }

    public void Dispose()
    {
        if (!Process.HasExited)
        {
            Process.Kill();
            Process.WaitForExit();
        }

        Process.Dispose();
        Close();
    }

    private static SafeFileHandle Open(string path) =>
        new(Libc.Check(Libc.open(path, ReadWrite | NoControl | CloseOnExec), $"open {path}"), ownsHandle: true);

    private static int Number(SafeFileHandle handle) => (int)handle.DangerousGetHandle();

    private T Ask<T>(Func<VirtualTerminal, T> question)
    {
        lock (_screen)
        {
            return _fault is null ? question(_screen) : throw new InvalidOperationException("the program wrote what no terminal shows", _fault);
        }
    }

    private void ReadAll()
    {
        byte[] bytes = new byte[16384];
        char[] text = new char[bytes.Length];
        Decoder decoder = Encoding.UTF8.GetDecoder();
        try
        {
            while (Libc.read(Number(_master), bytes, bytes.Length) is > 0 and nint n)
            {
                int count = decoder.GetChars(bytes, 0, (int)n, text, 0);
                lock (_screen)
                {
                    _screen.Write(new string(text, 0, count));
                }
            }
        }
        catch (Exception e)
        {
            lock (_screen)
            {
                _fault = e;
            }
        }
    }
}
