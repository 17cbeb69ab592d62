using System.Net;

namespace Couic.Names;

/// <summary>What is known of a host.</summary>
/// <param name="Addresses">Those of the last lookup that succeeded, or none.</param>
/// <param name="Cause">Why the last lookup failed; null when it did not, or none has ended.</param>
public readonly record struct HostAddresses(IReadOnlyList<IPAddress> Addresses, string? Cause);
