namespace Couic.Logging;

/// <summary>Where formatted lines go besides files; a stand-in in tests.</summary>
internal interface ILogOutput : IDisposable
{
    /// <summary>Who reads the lines.</summary>
    LogReader Reader { get; }

    /// <summary>False when lines are lost.</summary>
    bool TryWrite(ReadOnlySpan<byte> lines);
}

internal enum LogReader
{
    /// <summary>A pipe or a file.</summary>
    Program,

    /// <summary>The systemd journal, which takes a priority at the start of each line (systemd.exec(5)).</summary>
    Journal,

    /// <summary>A terminal: what the message says is not said again behind it.</summary>
    Person,
}
