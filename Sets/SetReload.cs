using Couic.Store;

namespace Couic.Sets;

public enum SetReloadStatus : byte
{
    /// <summary>The filter holds what the files say.</summary>
    Ok,

    /// <summary>A file cannot be taken as it is; nothing changed.</summary>
    BadFile,

    /// <summary>The sets do not fit into the tables, or their files into the limits; nothing changed.</summary>
    NoRoom,

    /// <summary>The guard refuses what the files say; nothing changed.</summary>
    Refused,

    /// <summary>Reading failed, or the data plane refused; nothing changed.</summary>
    Failed,
}

/// <summary>How a reload of all sets ended.</summary>
/// <param name="Time">UTC.</param>
/// <param name="Sets">How many set files there are, both policies.</param>
/// <param name="Message">Empty when all is well, else one line that names file, line and text.</param>
/// <param name="Faults">What is wrong with which file, at most <see cref="SetFile.MaxFaults"/>; at the start those of the sets left out.</param>
public sealed record SetReload(
    SetReloadStatus Status,
    DateTimeOffset Time,
    int Sets,
    SetReplacementCounts Ignore,
    SetReplacementCounts Drop,
    string Message,
    IReadOnlyList<SetFault> Faults)
{
    /// <summary>What may not be meant, though it was done; bounded.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Whether it was the daemon's start, which leaves bad files out, and no reload.</summary>
    public bool IsStart { get; init; }

    /// <summary><see cref="Message"/> without the text of any file, for those who may not read them.</summary>
    public string PublicMessage => Message.Length == 0 || Faults.Count == 0 ? Message
        : Faults.Count == 1 ? Faults[0].WithoutText()
        : $"{Faults[0].WithoutText()} (and {Faults.Count - 1} further faults)";

    public bool IsOk => Status == SetReloadStatus.Ok;

    public SetReplacementCounts Of(Policy policy) => policy == Policy.Ignore ? Ignore : Drop;
}
