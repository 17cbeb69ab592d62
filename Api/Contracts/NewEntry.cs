namespace Couic.Api.Contracts;

/// <summary>The body of <c>POST /v1/{policy}</c>.</summary>
/// <param name="Tag">Null for none.</param>
/// <param name="Expiration">Seconds since 1970, 0 for never.</param>
public sealed record NewEntry(string Cidr, string? Tag, ulong Expiration);
