namespace Couic.Sets;

/// <summary>How an operation on a set file ended.</summary>
public enum SetOutcome : byte
{
    Ok,

    /// <summary>Creating: the name is taken.</summary>
    Exists,

    /// <summary>There is no such set.</summary>
    Absent,

    /// <summary>Wrong owner, group or mode, a link or no regular file, or over <see cref="SetLimits.MaxFileBytes"/>.</summary>
    Unusable,

    /// <summary>Lines that are no CIDR; <see cref="SetResult.Faults"/> has them.</summary>
    BadLines,

    /// <summary>Reading: the file is not UTF-8.</summary>
    NotText,

    /// <summary>Writing: the text would be over <see cref="SetLimits.MaxFileBytes"/>.</summary>
    TooLarge,

    /// <summary>Writing: the policy's files would be too many, or too large together.</summary>
    NoRoom,

    /// <summary>The system refused (disk full, no permission); <see cref="SetResult.Message"/> says what.</summary>
    Failed,
}

/// <param name="Message">Empty when all is well, else what is wrong.</param>
/// <param name="Faults">Bad lines; empty but for <see cref="SetOutcome.BadLines"/>.</param>
public sealed record SetResult(SetOutcome Outcome, string Message, IReadOnlyList<SetFault> Faults)
{
    public static readonly SetResult Ok = new(SetOutcome.Ok, string.Empty, []);

    public SetResult(SetOutcome outcome, string message)
        : this(outcome, message, [])
    {
    }
}

/// <param name="EntryCount">Lines that are neither blank nor comments, valid or not; 0 for a file that cannot be read.</param>
/// <param name="FileSize">Bytes.</param>
public sealed record SetSummary(string Name, int EntryCount, long FileSize);
