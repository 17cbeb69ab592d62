namespace Couic.Config;

/// <summary>Something wrong in a file, as it is shown: <c>file:line:column: what (hint)</c>.</summary>
/// <param name="Line">From 1; 0 when the fault is about the whole file.</param>
/// <param name="Column">In characters, from 1; 0 when only the line is known.</param>
public sealed record Fault(string File, int Line, int Column, string Message)
{
    public Fault(string file, string message)
        : this(file, 0, 0, message)
    {
    }

    public override string ToString() => (Line, Column) switch
    {
        (0, _) => $"{File}: {Message}",
        (_, 0) => $"{File}:{Line}: {Message}",
        _ => $"{File}:{Line}:{Column}: {Message}",
    };
}
