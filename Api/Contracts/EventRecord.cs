namespace Couic.Api.Contracts;

/// <summary>An event of the stream; members that its type does not have are null.</summary>
/// <param name="Time">Seconds since 1970, with milliseconds; null for notices of the stream itself.</param>
/// <param name="By">Name of the client, peer or set that made the change.</param>
/// <param name="Lost">Events that the listener did not get; null when another run of the daemon had them.</param>
public sealed record EventRecord(
    string Id,
    string Type,
    double? Time = null,
    string? Action = null,
    string? Cause = null,
    string? By = null,
    string? Policy = null,
    string? Cidr = null,
    string? Tag = null,
    ulong? Expiration = null,
    string? Name = null,
    ulong? Entries = null,
    ulong? Added = null,
    ulong? Removed = null,
    string? Group = null,
    string? State = null,
    string? Error = null,
    string? Reason = null,
    ulong? Lost = null);
