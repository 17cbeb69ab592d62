namespace Couic.Logging;

/// <summary>Where formatted lines go besides files; a stand-in in tests.</summary>
internal interface ILogOutput : IDisposable
{
    /// <summary>Whether each line starts with a priority for the journal.</summary>
    bool IsJournal { get; }

    /// <summary>False when lines are lost.</summary>
    bool TryWrite(ReadOnlySpan<byte> lines);
}
