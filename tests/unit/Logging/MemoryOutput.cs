using System.Text;
using Couic.Logging;

namespace Couic.Tests.Logging;

/// <summary>Standard output of a test; can be held to make the queue fill.</summary>
internal sealed class MemoryOutput : ILogOutput
{
    private readonly MemoryStream _bytes = new();

    public OutputKind Kind { get; init; }

    /// <summary>Writing waits while this is reset.</summary>
    public ManualResetEventSlim Gate { get; } = new(true);

    /// <summary>Set when a write has begun.</summary>
    public ManualResetEventSlim Begun { get; } = new();

    public string Text
    {
        get
        {
            lock (_bytes)
            {
                return Encoding.UTF8.GetString(_bytes.ToArray());
            }
        }
    }

    public IReadOnlyList<string> Lines => Text.Split('\n')[..^1];

    public bool TryWrite(ReadOnlySpan<byte> lines)
    {
        Begun.Set();
        Gate.Wait();
        lock (_bytes)
        {
            _bytes.Write(lines);
        }

        return true;
    }

    public void Dispose()
    {
    }
}
