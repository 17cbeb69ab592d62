namespace Couic.Peering;

/// <summary>The records that a node keeps for the rules of one policy, and what did not fit among them.</summary>
/// <param name="Live">Rules of the cluster.</param>
/// <param name="Dead">Removed and expired rules that are remembered.</param>
/// <param name="Waiting">Live ones that the table or the data plane has refused so far.</param>
/// <param name="Evicted">Dead ones that were forgotten early although an absent peer may hold the rule.</param>
/// <param name="Refused">Words of peers that were refused as there was no room for a record.</param>
public readonly record struct RecordCounts(int Live, int Dead, int Waiting, long Evicted, long Refused);
