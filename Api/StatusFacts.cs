using Couic.Api.Contracts;

namespace Couic.Api;

/// <summary>What the status shows of parts that this folder does not know. Null is what there is none of, or nobody has looked at.</summary>
/// <param name="Match">What is looked up: <c>source</c>, <c>destination</c>.</param>
/// <param name="Faults">Looks at the files on disk, so it is asked only where faults are shown.</param>
internal sealed record StatusFacts(
    IReadOnlyList<string> Match,
    IReadOnlyList<InterfaceStatus> Interfaces,
    PeersStatus? Peers = null,
    ConsistencyStatus? Consistency = null,
    string? Attacher = null,
    GuardStatus? Guard = null,
    ReloadStatus? Configuration = null,
    Func<IReadOnlyList<FaultStatus>>? Faults = null);

/// <summary>How a reload of configuration and sets ended.</summary>
/// <param name="Message">One line: what could not be done, or what needs a restart; empty when all is well.</param>
internal sealed record ReloadResult(bool Ok, string Message)
{
    /// <summary>What may not be meant, though it was done.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
