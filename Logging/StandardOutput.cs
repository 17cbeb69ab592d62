using System.Globalization;
using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Logging;

/// <summary>What standard output leads to.</summary>
internal enum OutputKind
{
    /// <summary>A pipe or a file.</summary>
    Stream,

    /// <summary>The systemd journal, which reads a priority at the start of each line (systemd.exec(5)).</summary>
    Journal,

    /// <summary>Fields whose values the message contains are omitted.</summary>
    Terminal,
}

/// <summary>Where formatted lines go besides files; a stand-in in tests.</summary>
internal interface ILogOutput : IDisposable
{
    OutputKind Kind { get; }

    /// <summary>False when lines are lost.</summary>
    bool TryWrite(ReadOnlySpan<byte> lines);
}

/// <summary>Descriptor 1. For the writer's thread only.</summary>
internal sealed class StandardOutput : ILogOutput
{
    private readonly SafeFileHandle _file = new(1, ownsHandle: false);

    public StandardOutput() => Kind = LeadsToJournal(Environment.GetEnvironmentVariable("JOURNAL_STREAM")) ? OutputKind.Journal
        : Console.IsOutputRedirected ? OutputKind.Stream
        : OutputKind.Terminal;

    public OutputKind Kind { get; }

    /// <summary>False when lines are lost: the reader is gone, or the descriptor is closed.</summary>
    public bool TryWrite(ReadOnlySpan<byte> lines)
    {
        // The descriptor is shared with the parent process, which may have made it non-blocking.
        for (int tries = 0; tries < 20; tries++)
        {
            Errno error = Files.TryWrite(_file, lines, out int written);
            if (error != Errno.EAGAIN)
            {
                return error == Errno.None;
            }

            lines = lines[written..];
            Thread.Sleep(5);
        }

        return false;
    }

    public void Dispose() => _file.Dispose();

    /// <summary>The variable names device and inode of the stream; a child process may have inherited it despite a redirection.</summary>
    private bool LeadsToJournal(string? stream) =>
        stream?.Split(':') is [_, string inode]
        && ulong.TryParse(inode, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)
        && Files.TryStat(_file, out FileState state) == Errno.None && state.Inode == number;
}
