namespace Couic.Api.Contracts;

/// <summary>The answer of <c>POST /v1/{policy}/bulk</c>.</summary>
/// <param name="Rejected">The first hundred.</param>
/// <param name="RejectedCount">All of them; 0 or absent when all are in <paramref name="Rejected"/>.</param>
public sealed record BulkRecord(
    ulong Created, ulong Updated, ulong Unchanged, ulong Removed, ulong Absent, BulkRejection[]? Rejected, ulong RejectedCount);

/// <param name="Index">From 0.</param>
public sealed record BulkRejection(ulong Index, string Code, string Message);
