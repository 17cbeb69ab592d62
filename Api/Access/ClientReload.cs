using Couic.Config;

namespace Couic.Api.Access;

/// <summary>What reading the client files again has changed.</summary>
/// <param name="Taken">Names of clients that are new, or have another token or group.</param>
/// <param name="Ended">Names of clients that are no more, or whose token or group is another.</param>
/// <param name="Faults">Why files were left out.</param>
public sealed record ClientReload(IReadOnlyList<string> Taken, IReadOnlyList<string> Ended, IReadOnlyList<Fault> Faults);
