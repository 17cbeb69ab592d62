namespace Couic.Cli.Commands;

/// <summary>The lines that an import did not take: the first hundred with their reasons, the others counted.</summary>
internal sealed class ImportRejections
{
    private const int MaxListed = 100;

    private readonly List<(int Line, string Reason)> _listed = [];

    public long Count { get; private set; }

    public void Add(int line, string reason)
    {
        Count++;
        if (_listed.Count < MaxListed)
        {
            _listed.Add((line, reason));
        }
    }

    /// <summary>Rejections that nobody gave a reason for.</summary>
    public void AddUnlisted(long count) => Count += count;

    /// <summary>For people, in the order of the file.</summary>
    public IEnumerable<string> Lines()
    {
        foreach ((int line, string reason) in _listed.OrderBy(r => r.Line))
        {
            yield return $"line {line}: {reason}";
        }

        if (Count > _listed.Count)
        {
            yield return $"and {Count - _listed.Count} more lines";
        }
    }
}
