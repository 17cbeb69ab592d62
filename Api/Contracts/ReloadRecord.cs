namespace Couic.Api.Contracts;

/// <summary>The answer of <c>POST /v1/reload</c>.</summary>
/// <param name="Message">What needs a restart; empty when nothing does.</param>
public sealed record ReloadRecord(string? ReloadStatus, string? Message);
