using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Logging;

/// <summary>Descriptor 1. For the writer's thread only.</summary>
internal sealed class StandardOutput : ILogOutput
{
    private readonly SafeFileHandle _file = new(1, ownsHandle: false);

    public StandardOutput() => Reader = LeadsToJournal(Environment.GetEnvironmentVariable("JOURNAL_STREAM")) ? LogReader.Journal
        : Console.IsOutputRedirected ? LogReader.Program
        : LogReader.Person;

    public LogReader Reader { get; }

    /// <summary>False when lines are lost: nobody reads, or the descriptor is closed.</summary>
    public bool TryWrite(ReadOnlySpan<byte> lines)
    {
        // Someone else may have made the descriptor non-blocking, as it is shared with whoever started us.
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

    /// <summary>The variable names device and inode of the stream; it may have been inherited past a redirection.</summary>
    private bool LeadsToJournal(string? stream) =>
        stream?.Split(':') is [_, string inode]
        && ulong.TryParse(inode, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out ulong number)
        && Files.TryStat(_file, out FileState state) == Errno.None && state.Inode == number;
}
