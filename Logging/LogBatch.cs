using System.Runtime.InteropServices;
using Couic.Config;

namespace Couic.Logging;

/// <summary>Lines that are ready to be written, in stretches of one day and one state of the settings. Not thread-safe.</summary>
/// <param name="reader">Who reads the lines for standard output.</param>
internal sealed class LogBatch(int maxBytes, LogReader reader)
{
    private readonly LineBuffer _output = new();
    private readonly LineBuffer _file = new();
    private readonly List<Stretch> _stretches = new(4);

    /// <summary>Bytes for standard output.</summary>
    public int Length => _output.Length;

    /// <summary>Lines that found no room.</summary>
    public int Dropped { get; private set; }

    public int StretchCount => _stretches.Count;

    /// <summary>False when there is no room for the line.</summary>
    public bool TryAppend(in LogRecord record, LoggingSettings settings)
    {
        int output = _output.Length, file = _file.Length;
        if (reader == LogReader.Journal)
        {
            _output.Append(Levels.Priority(record.Level));
        }

        Append(_output, record, settings.Dir is null ? settings.Format : LogFormat.Text, saysOnce: reader == LogReader.Person);
        if (settings.Dir is not null && !SharesLines(settings))
        {
            Append(_file, record, settings.Format, saysOnce: false);
        }

        if (Math.Max(_output.Length, _file.Length) > maxBytes)
        {
            _output.Truncate(output);
            _file.Truncate(file);
            Dropped++;
            return false;
        }

        Note(record.Ticks / TimeSpan.TicksPerDay, settings, output, file);
        return true;
    }

    /// <summary>The line from these places on belongs to the last stretch, or begins another.</summary>
    private void Note(long day, LoggingSettings settings, int output, int file)
    {
        Span<Stretch> stretches = CollectionsMarshal.AsSpan(_stretches);
        if (stretches.IsEmpty || stretches[^1].Day != day || stretches[^1].Settings != settings)
        {
            _stretches.Add(new Stretch(settings, day, output, _output.Length, file, _file.Length, 1));
            return;
        }

        ref Stretch last = ref stretches[^1];
        last.OutputEnd = _output.Length;
        last.FileEnd = _file.Length;
        last.Lines++;
    }

    /// <summary>One stretch: what goes to standard output, and what goes to the file.</summary>
    public Stretch Read(int index, out ReadOnlySpan<byte> output, out ReadOnlySpan<byte> file)
    {
        Stretch stretch = _stretches[index];
        output = _output.Written[stretch.OutputStart..stretch.OutputEnd];
        file = SharesLines(stretch.Settings) ? output : _file.Written[stretch.FileStart..stretch.FileEnd];
        return stretch;
    }

    public void Clear()
    {
        _output.Clear();
        _file.Clear();
        _stretches.Clear();
        Dropped = 0;
    }

    private bool SharesLines(LoggingSettings settings) => settings.Format == LogFormat.Text && reader == LogReader.Program;

    private static void Append(LineBuffer lines, in LogRecord record, LogFormat format, bool saysOnce)
    {
        if (format == LogFormat.Json)
        {
            JsonFormat.Append(lines, record);
        }
        else
        {
            TextFormat.Append(lines, record, saysOnce);
        }
    }

    /// <param name="Day">Since year 1 (UTC).</param>
    internal record struct Stretch(
        LoggingSettings Settings, long Day, int OutputStart, int OutputEnd, int FileStart, int FileEnd, int Lines);
}
